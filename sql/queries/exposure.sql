-- What `rgrid db expose` and doctor ask of a PostgreSQL cluster, as its superuser.

-- name: exposure_settings
SELECT current_setting('listen_addresses'), current_setting('ssl')::bool,
	current_setting('ssl_cert_file'), current_setting('ssl_key_file'),
	current_setting('ssl_min_protocol_version'), current_setting('password_encryption'),
	current_setting('hba_file'), current_setting('server_version_num')::int8,
	(extract(epoch FROM pg_conf_load_time()) * 1000000)::int8,
	(SELECT pending_restart FROM pg_settings WHERE name = 'listen_addresses'),
	(SELECT coalesce(sourcefile, source) FROM pg_settings WHERE name = 'listen_addresses'),
	EXISTS (SELECT FROM pg_database WHERE datname = $1);

-- name: exposure_reload
SELECT pg_reload_conf();

-- To read the files is what marks the settings that wait for a restart: pg_settings of this session
-- knows afterwards.
-- name: exposure_conf_read
SELECT count(*) FROM pg_file_settings;

-- What keeps PostgreSQL from taking its files; "setting could not be applied" is said of a wrong value and
-- of one that waits for a restart alike. One that was taken out, and waits, is named in the error alone.
-- name: exposure_conf_fault
SELECT coalesce(sourcefile, ''), coalesce(sourceline, 0), coalesce(name, ''), error, waits
FROM (
	SELECT f.seqno, f.sourcefile, f.sourceline, f.error,
		CASE WHEN f.sourcefile IS NULL THEN substring(f.error FROM '"([^"]+)"') ELSE f.name END AS name,
		coalesce(s.pending_restart, f.sourcefile IS NULL) AS waits
	FROM pg_file_settings f LEFT JOIN pg_settings s ON lower(s.name) = lower(f.name)
	WHERE f.error IS NOT NULL
) fault
WHERE NOT waits OR ($1 AND lower(name) IS DISTINCT FROM 'listen_addresses')
ORDER BY waits, seqno LIMIT 1;

-- name: exposure_conf_is_read
SELECT EXISTS (SELECT FROM pg_file_settings WHERE sourcefile = $1);

-- The last one counts. A later TLS than ours is no fault.
-- name: exposure_conf_override
SELECT sourcefile, sourceline, name
FROM (
	SELECT DISTINCT ON (lower(name)) *
	FROM pg_file_settings ORDER BY lower(name), seqno DESC
) last
WHERE sourcefile <> $1
	AND EXISTS (
		SELECT FROM pg_file_settings ours
		WHERE ours.sourcefile = $1 AND lower(ours.name) = lower(last.name) AND ours.setting <> last.setting)
	AND (lower(name), setting) <> ('ssl_min_protocol_version', 'TLSv1.3')
ORDER BY seqno LIMIT 1;

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
