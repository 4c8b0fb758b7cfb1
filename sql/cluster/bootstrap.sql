-- Run once in a new private cluster, in PostgreSQL's single-user mode (which has no parameters), by
-- whoever made it. :words are replaced by passwords of hexadecimal digits. The superuser that initdb made
-- gets no password, so that nobody can ever log in as it; rgrid_operator stops being one after the first
-- migration. Statements are separated by empty lines.

CREATE ROLE rgrid_operator LOGIN SUPERUSER CREATEROLE PASSWORD ':operator';

CREATE ROLE rgrid_api LOGIN PASSWORD ':api';

CREATE ROLE rgrid_orchestrator LOGIN PASSWORD ':orchestrator';

CREATE DATABASE rgrid OWNER rgrid_operator;
