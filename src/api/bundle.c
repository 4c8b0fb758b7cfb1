/* GET /bundle/{name}: the programs of a new worker's machine, which has no login yet but a token
 * that is good until the worker has enrolled. The bundle is a blob, named by its SHA-256. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "api/content.h"
#include "api/routes.h"
#include "base/str.h"
#include "store/queries.h"

#define NAME_SUFFIX ".tar.gz"

enum token_verdict { TOKEN_UNKNOWN = 0, TOKEN_GOOD = 1, TOKEN_STALE = 2 };

static void address_of_client(const struct request *request, char ret[INET6_ADDRSTRLEN])
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(request->http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info != NULL ? info->client_addr : NULL;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;

	ret[0] = '\0';
	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&v4, address, sizeof(v4));
		(void)inet_ntop(AF_INET, &v4.sin_addr, ret, INET6_ADDRSTRLEN);
	} else if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&v6, address, sizeof(v6));
		(void)inet_ntop(AF_INET6, &v6.sin6_addr, ret, INET6_ADDRSTRLEN);
	}
}

static int check_token(const struct request *request, const char *token, struct error *err)
{
	CLEANUP(cleanup_request_db) struct request_db db = request_db_take(request);
	CLEANUP(cleanup_pg_params) struct pg_params params = {0};
	CLEANUP(cleanup_pgresult) PGresult *result = NULL;
	uint8_t digest[SHA256_BYTES];
	char address[INET6_ADDRSTRLEN];

	sha256_of(token, strlen(token), digest);
	address_of_client(request, address);
	pg_param_bytes(&params, digest, sizeof(digest));
	pg_param_text(&params, address);
	if (pg_run(db.pg, &query_bundle_token_check, &params, &result, err) < 0)
		return -1;
	switch (pg_get_i64(result, 0, 0)) {
	case TOKEN_GOOD:
		return 0;
	case TOKEN_STALE:
		return error_set(err, ERR_FORBIDDEN,
				 "this token was good until its worker enrolled");
	default:
		return error_set(err, ERR_UNAUTHENTICATED, "this token is not known");
	}
}

int bundle_get(struct request *request, struct reply *reply, struct error *err)
{
	static const char scheme[] = "Bearer ";
	const char *authorization = request_header(request, "Authorization");
	const char *name = request->args[0];
	char hex[SHA256_HEX_BYTES] = "";

	if (authorization == NULL || !str_has_prefix(authorization, scheme))
		return error_set(err, ERR_UNAUTHENTICATED, "a bundle is given for a token only");
	if (check_token(request, authorization + strlen(scheme), err) < 0)
		return -1;
	if (strlen(name) == SHA256_HEX_BYTES - 1 + strlen(NAME_SUFFIX) &&
	    str_has_suffix(name, NAME_SUFFIX))
		memcpy(hex, name, SHA256_HEX_BYTES - 1);
	if (!sha256_from_hex(hex, request->blob))
		return error_set(err, ERR_NOT_FOUND, "there is no such bundle");
	return content_reply(request, request->blob, name, reply, err);
}
