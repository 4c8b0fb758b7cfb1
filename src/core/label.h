/* The labels by which RGrid knows its own things at the provider. Nothing without
 * LABEL_MANAGED_BY = LABEL_RGRID is ever changed or deleted unless the user names it. */
#pragma once

#define LABEL_MANAGED_BY  "managed-by"
#define LABEL_RGRID	  "rgrid"
#define LABEL_GRID	  "rgrid-grid"	 /* id of the grid: a provider project may hold several */
#define LABEL_WORKER	  "rgrid-worker" /* id of the worker whose machine a server is */
#define LABEL_ROLE	  "rgrid-role"	 /* "control", "worker", "bake", "spread" */
#define LABEL_ROLE_SPREAD "spread"
