/* What every verb that talks to the server needs: the configuration and a client made from it. */
#pragma once

#include "cli/api_client.h"
#include "cli/config.h"
#include "cli/verb.h"

struct session {
	struct terminal *terminal;
	struct config config;
	struct api_client *api;
};

/* ERR_UNAUTHENTICATED, with what to do about it, when no server or no key is known. */
MUST_CHECK int session_open(const struct verb_call *call, struct session *ret, struct error *err);
void session_release(struct session *session);
#define cleanup_session session_release
/* The configuration alone; odd things are noted on stderr. */
MUST_CHECK int session_load_config(const struct verb_call *call, struct config *ret,
				   struct error *err);
