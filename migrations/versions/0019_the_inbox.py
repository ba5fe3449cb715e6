"""The inbox, and on PostgreSQL the function by which a producer's role submits."""

import sqlalchemy as sa
from alembic import op

from worker.store.types import Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

MAX_REQUEST_CHARACTERS = 65_536

# It runs with its owner's rights. Every name in it is qualified or found in a fixed search path, so that a caller's own
# objects are never used. The caller is the role that is in effect, whether by login or by SET ROLE.
#
# A name that is no role any more stands in no row of pg_roles: pg_has_role would raise an error for it.
#
# The notification is sent by one transaction at a time, because PostgreSQL commits those that notify one by one; the
# leader polls as well. A transaction that is to be prepared (two-phase commit) can't notify: SET LOCAL ttsq.notify = off.
# Once in a transaction is enough; a savepoint that is rolled back takes the notification and the mark along.
SUBMIT = """
CREATE FUNCTION {schema}.ttsq_submit(request jsonb) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, {schema}, pg_temp
AS $body$
DECLARE
  caller CONSTANT name := CASE current_setting('role') WHEN 'none' THEN session_user ELSE current_setting('role')::name END;
  named CONSTANT text := request ->> 'tenant';
  content CONSTANT text := request::text;
  owner text;
  owners bigint;
  micros CONSTANT bigint := floor(extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
  made CONSTANT uuid := (lpad(to_hex(micros / 1000), 12, '0') || to_hex(28672 + (micros % 1000) * 4096 / 1000)
    || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid;
BEGIN
  IF request IS NULL THEN
    RAISE EXCEPTION 'ttsq_submit takes a JSON object with the fields of a job, not NULL' USING ERRCODE = '22004';
  END IF;
  IF length(content) > {characters} THEN
    RAISE EXCEPTION 'the request has % characters of JSON; {characters} is the limit', length(content)
      USING ERRCODE = '54000', HINT = 'Submit shorter texts, one per request.';
  END IF;
  SELECT min(tenant), count(*) INTO owner, owners FROM {schema}.inbox_producers WHERE role = caller;
  IF owners = 0 AND NOT has_table_privilege(caller, '{literal}.jobs', 'INSERT') THEN
    SELECT min(tenant), count(DISTINCT tenant) INTO owner, owners FROM {schema}.inbox_producers p
      JOIN pg_roles r ON r.rolname = p.role WHERE pg_has_role(caller, r.oid, 'MEMBER');
    IF owners = 0 THEN
      RAISE EXCEPTION 'role % may not submit', caller
        USING ERRCODE = '42501', HINT = 'Its administrator runs: ttsq inbox grant ROLE --tenant TENANT';
    END IF;
  END IF;
  IF owners = 0 THEN
    owner := NULL;
  ELSIF named IS NULL THEN
    IF owners > 1 THEN
      RAISE EXCEPTION 'role % may submit for several tenants; name one in "tenant"', caller USING ERRCODE = '22023';
    END IF;
  ELSE
    PERFORM 1 FROM {schema}.inbox_producers p JOIN pg_roles r ON r.rolname = p.role
      WHERE p.tenant = named AND (p.role = caller OR pg_has_role(caller, r.oid, 'MEMBER'));
    IF NOT FOUND THEN
      RAISE EXCEPTION 'role % may not submit for tenant "%"', caller, left(named, 64)
        USING ERRCODE = '42501', HINT = 'Its administrator runs: ttsq inbox grant ROLE --tenant TENANT';
    END IF;
    owner := named;
  END IF;
  INSERT INTO {schema}.inbox (id, request, tenant, role) VALUES (made, content, owner, caller);
  IF coalesce(current_setting('ttsq.notify', true), '') NOT IN ('off', 'done') THEN
    PERFORM pg_notify('ttsq_inbox', '') WHERE pg_try_advisory_xact_lock(1953788777);
    PERFORM set_config('ttsq.notify', 'done', true);
  END IF;
  RETURN made;
END
$body$
"""


def upgrade() -> None:
    """Apply this revision. It only adds, so that workers of the revision before go on meanwhile."""
    op.create_table(
        "inbox",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=True),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=True),
        sa.Column("role", sa.Text(), nullable=True),
        sa.Column("handled_at", Instant(), nullable=True),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("faults", sa.Text(), nullable=True),
        sa.CheckConstraint(f"length(request) <= {MAX_REQUEST_CHARACTERS}", name=op.f("ck_inbox_size")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_inbox")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02},
    )
    # New tables are empty: their indexes block nobody.
    for name, column, where in (
        ("ix_inbox_waiting", "number", "handled_at IS NULL"),
        ("ix_inbox_refused", "number", "faults IS NOT NULL"),
        ("ix_inbox_handled_at", "handled_at", "handled_at IS NOT NULL"),
    ):
        op.create_index(
            name, "inbox", [column], unique=False, postgresql_where=sa.text(where), sqlite_where=sa.text(where)
        )
    op.create_table(
        "inbox_producers",
        sa.Column("role", sa.String(length=63), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("role", "tenant", name=op.f("pk_inbox_producers")),
    )
    if op.get_bind().dialect.name == "postgresql":
        _create_function()


def _create_function() -> None:
    connection = op.get_bind()
    schema = connection.execute(sa.text("SELECT quote_ident(current_schema())")).scalar_one()
    literal = schema.replace("'", "''")
    connection.exec_driver_sql(
        SUBMIT.format(schema=schema, literal=literal, characters=MAX_REQUEST_CHARACTERS).replace("%", "%%")
    )
    connection.exec_driver_sql(f"REVOKE ALL ON FUNCTION {schema}.ttsq_submit(jsonb) FROM PUBLIC")


def downgrade() -> None:
    """Undo this revision. Requests that are not jobs yet are lost."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS ttsq_submit(jsonb)")
    op.drop_table("inbox_producers")
    op.drop_index("ix_inbox_handled_at", table_name="inbox")
    op.drop_index("ix_inbox_refused", table_name="inbox")
    op.drop_index("ix_inbox_waiting", table_name="inbox")
    op.drop_table("inbox")
