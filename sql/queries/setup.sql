-- What `rgrid up` asks while it sets the grid up.

-- name: setup_is_superuser
SELECT rolsuper FROM pg_roles WHERE rolname = current_user;

-- name: setup_join_owner
-- What the operator needs once it is no superuser any more.
GRANT rgrid_owner TO rgrid_operator;

-- name: setup_drop_superuser
ALTER ROLE rgrid_operator NOSUPERUSER CREATEROLE;

-- name: setup_active_workers
-- Workers that are up, and the limits that at least one of them cannot hold.
SELECT count(*), array_to_string(ARRAY(
		SELECT DISTINCT u FROM rg.worker w, unnest(w.unenforced) u WHERE w.state = 2 ORDER BY u), ', ')
FROM rg.worker WHERE state = 2;
