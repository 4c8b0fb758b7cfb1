/* The HTTP side: libmicrohttpd without threads, driven by the event loop, with or without TLS. */
#pragma once

#include "base/error.h"
#include "hcloud/sim.h"

struct http;

struct http_options {
	const char *listen;	   /* "127.0.0.1:0" */
	const char *control_token; /* NULL: none; borrowed */
	const char *tls_cert;	   /* files, or NULL */
	const char *tls_key;
};

MUST_CHECK int http_start(struct sim *sim, const struct http_options *options, struct http **ret,
			  struct error *err);
void http_stop(struct http *http);
/* "http://127.0.0.1:41234" */
const char *http_url(const struct http *http);
