/* The labels by which RGrid knows its own things at the provider. Nothing without
 * LABEL_MANAGED_BY = LABEL_RGRID is ever changed or deleted unless the user names it. */
#pragma once

#define LABEL_MANAGED_BY  "managed-by"
#define LABEL_RGRID	  "rgrid"
#define LABEL_GRID	  "rgrid-grid"	 /* id of the grid: a provider project may hold several */
#define LABEL_WORKER	  "rgrid-worker" /* id of the worker whose machine a server is */
#define LABEL_ROLE	  "rgrid-role"	 /* "control", or one of LABEL_ROLE_… */
#define LABEL_ROLE_WORKER "worker"
#define LABEL_ROLE_SPREAD "spread"	 /* a placement group */
#define LABEL_ROLE_BAKE	  "bake"	 /* a server of which an image is to be made */
#define LABEL_ROLE_IMAGE  "worker-image" /* a snapshot that workers' servers start from */
/* Of an image */
#define LABEL_BAKE "rgrid-bake" /* the run that made it, which the builder's name has too */
#define LABEL_BUNDLE \
	"rgrid-bundle" /* the bundle's SHA-256 but for its end: a value has 63 characters */
#define LABEL_BASE "rgrid-base" /* the image that the builder started from */
