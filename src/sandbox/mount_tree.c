#include "sandbox/mount_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

int mount_tree_bind(const char *source, const char *target, uint64_t flags, struct error *err)
{
	CLEANUP(cleanup_fd)
	int tree = open_tree(AT_FDCWD, source,
			     OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (tree < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot open the tree %s",
				       source);
	struct mount_attr attributes = {.attr_set = flags, .propagation = MS_PRIVATE};
	if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes,
			  sizeof(attributes)) < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot protect the tree %s",
				       source);
	if (move_mount(tree, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return error_set_errno(err, ERR_FORBIDDEN, errno, "cannot mount %s at %s", source,
				       target);
	return 0;
}
