#include "api/routes.h"

#define ROUTE(method_name, path, access_name, body_name, query_names, audience_name, handler_name) \
	{                                                                                          \
		.method = HTTP_##method_name,                                                      \
		.pattern = (path),                                                                 \
		.access = ACCESS_##access_name,                                                    \
		.body = BODY_##body_name,                                                          \
		.query = (query_names),                                                            \
		.audience = AUDIENCE_##audience_name,                                              \
		.handler = (handler_name),                                                         \
	},
const struct route routes[ROUTE_COUNT] = {
#include "api/routes.def"
};
#undef ROUTE
