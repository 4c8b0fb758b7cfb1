-- What `rgrid db expose` and doctor ask of a PostgreSQL cluster, as its superuser.

-- name: exposure_settings
SELECT current_setting('listen_addresses'), current_setting('ssl')::bool,
	current_setting('ssl_cert_file'), current_setting('ssl_key_file'),
	current_setting('ssl_min_protocol_version'), current_setting('password_encryption'),
	current_setting('hba_file'), current_setting('server_version_num')::int8,
	(extract(epoch FROM pg_conf_load_time()) * 1000000)::int8,
	(SELECT pending_restart FROM pg_settings WHERE name = 'listen_addresses'),
	coalesce((SELECT sourcefile FROM pg_settings WHERE name = 'listen_addresses'), ''),
	EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: exposure_reload
SELECT pg_reload_conf();

-- name: exposure_hba_fault
SELECT line_number, error FROM pg_hba_file_rules
WHERE error IS NOT NULL AND error NOT LIKE 'hostssl record cannot match%'
ORDER BY line_number LIMIT 1;

-- name: exposure_hba_rules
SELECT line_number, type, coalesce(address, ''), coalesce(netmask, ''), auth_method
FROM pg_hba_file_rules WHERE type LIKE 'host%' ORDER BY line_number;

-- name: exposure_worker_rights
SELECT r.rolname FROM pg_roles r
WHERE (r.rolname = 'rgrid_worker' OR EXISTS (
		SELECT FROM pg_auth_members m
		WHERE m.member = r.oid AND m.roleid = to_regrole('rgrid_worker')
			AND r.rolname <> 'rgrid_owner'))
	AND (r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
		OR EXISTS (
			SELECT FROM pg_auth_members o
			WHERE o.member = r.oid AND o.roleid IS DISTINCT FROM to_regrole('rgrid_worker')))
ORDER BY 1 LIMIT 1;
