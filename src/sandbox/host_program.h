/* Programs of the host that the sandbox runs: crun, ip, nft, mkfs.ext4, newuidmap. Looked for in the
 * system's directories, whatever our PATH says, because that of an ordinary user lacks sbin. */
#pragma once

/* The absolute path, to be freed, or NULL where it is not installed. */
char *host_program_find(const char *name);
