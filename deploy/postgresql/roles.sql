-- As a superuser, once, in the empty database. Choose passwords, or leave them out and use `\password ROLE` in psql.
-- One role owns the tables and is used for `ttsq migrate` alone; the other can read and write rows and nothing else.
CREATE ROLE ttsq_owner LOGIN PASSWORD 'choose-one';
CREATE ROLE ttsq_app NOLOGIN;
CREATE ROLE ttsq_a LOGIN PASSWORD 'choose-another' IN ROLE ttsq_app;
GRANT USAGE, CREATE ON SCHEMA public TO ttsq_owner;
GRANT USAGE ON SCHEMA public TO ttsq_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ttsq_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ttsq_app;
ALTER DEFAULT PRIVILEGES FOR ROLE ttsq_owner IN SCHEMA public
  GRANT USAGE ON SEQUENCES TO ttsq_app;
