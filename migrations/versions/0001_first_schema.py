"""first schema

Revision: 0001
Follows:

Safe under load: every statement gives up after the lock timeout that app/core/migrations.py sets.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
    )
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_table(
        "benchmarks",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("role_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("soc", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("level_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("industry_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=False),
        sa.Column("period_until", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("pay_period", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("open_ended", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("low", sa.Numeric(), nullable=True),
        sa.Column("high", sa.Numeric(), nullable=True),
        sa.Column("mean", sa.Numeric(), nullable=True),
        sa.Column("p10", sa.Numeric(), nullable=True),
        sa.Column("p25", sa.Numeric(), nullable=True),
        sa.Column("p50", sa.Numeric(), nullable=True),
        sa.Column("p75", sa.Numeric(), nullable=True),
        sa.Column("p90", sa.Numeric(), nullable=True),
        sa.Column("top_coded", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("rse", sa.Double(), nullable=True),
        sa.Column("employment", sa.Double(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("changed_import_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_benchmarks")),
        sa.UniqueConstraint(
            "source_id",
            "role_id",
            "soc",
            "region_id",
            "level_id",
            "industry_id",
            "period",
            "pay_period",
            name="uq_benchmarks_identity",
        ),
    )
    op.create_index("ix_benchmarks_soc", "benchmarks", ["soc"], unique=False)
    op.create_table(
        "demand_identities",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("previous_role_id", sa.Integer(), nullable=False),
        sa.Column("changed_import_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_demand_identities")),
    )
    op.create_table(
        "demand_records",
        sa.Column("role_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("employer_key", sa.BigInteger(), nullable=True),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("title_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("changed_import_id", sa.Integer(), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("observed_until", sa.Date(), nullable=False),
        sa.Column("openings", sa.Double(), nullable=False),
        sa.Column("candidates", sa.Double(), nullable=True),
        sa.Column("measure", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("skills", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("level_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("industry_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("precision", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("role_stated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("level_stated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("role_id", "record_id", name=op.f("pk_demand_records")),
    )
    op.create_index(
        "ix_demand_records_changed_import_id",
        "demand_records",
        ["changed_import_id"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "ix_demand_records_import_id",
        "demand_records",
        ["import_id"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "ix_demand_records_source_id_observed_on",
        "demand_records",
        ["source_id", "observed_on"],
        unique=False,
    )
    op.create_table(
        "epoch",
        sa.Column("single", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("base_currency", sa.Text(), nullable=True),
        sa.Column("seeded", sa.Text(), nullable=True),
        sa.Column("stamp", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False),
        sa.CheckConstraint("single", name=op.f("ck_epoch_one_row")),
        sa.PrimaryKeyConstraint("single", name=op.f("pk_epoch")),
    )
    op.create_table(
        "exchange_rates",
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("per_eur", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("currency", "observed_on", name=op.f("pk_exchange_rates")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.JSON(), nullable=True),
        sa.Column("import_id", sa.Integer(), nullable=True),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("owner", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        op.f("ix_idempotency_keys_import_id"), "idempotency_keys", ["import_id"], unique=False
    )
    op.create_table(
        "imports",
        sa.Column("id", sa.Integer(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("source_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("profile", sa.Text(), nullable=True),
        sa.Column("batch", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("dry_run", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("bytes_received", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=True),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index(op.f("ix_imports_source_id"), "imports", ["source_id"], unique=False)
    op.create_table(
        "industries",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("naics", sa.Text(), nullable=True),
        sa.Column("aliases", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_industries")),
        sa.UniqueConstraint("code", name=op.f("uq_industries_code")),
    )
    op.create_table(
        "levels",
        sa.Column("id", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rank", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("aliases", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_levels")),
        sa.UniqueConstraint("code", name=op.f("uq_levels_code")),
    )
    op.create_table(
        "profiles",
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("mapping", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_profiles")),
    )
    op.create_table(
        "regions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("parent_id", sa.Integer(), nullable=True),
        sa.Column("ancestors", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("country_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("subdivision_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("metro_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("alpha3", sa.Text(), nullable=True),
        sa.Column("cbsa", sa.Text(), nullable=True),
        sa.Column("aliases", sa.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regions")),
        sa.UniqueConstraint("code", name=op.f("uq_regions_code")),
    )
    op.create_index(op.f("ix_regions_parent_id"), "regions", ["parent_id"], unique=False)
    op.create_table(
        "role_versions",
        sa.Column("role_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("role_id", name=op.f("pk_role_versions")),
    )
    op.create_table(
        "roles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("soc", sa.Text(), nullable=True),
        sa.Column("isco", sa.Text(), nullable=True),
        sa.Column(
            "facts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roles")),
        sa.UniqueConstraint("code", name=op.f("uq_roles_code")),
    )
    op.create_table(
        "salary_identities",
        sa.Column("source_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.BigInteger(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("previous_role_id", sa.Integer(), nullable=False),
        sa.Column("changed_import_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source_id", "key", name=op.f("pk_salary_identities")),
    )
    op.create_table(
        "salary_records",
        sa.Column("role_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("employer_key", sa.BigInteger(), nullable=True),
        sa.Column("region_id", sa.Integer(), nullable=False),
        sa.Column("title_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("import_id", sa.Integer(), nullable=False),
        sa.Column("changed_import_id", sa.Integer(), nullable=False),
        sa.Column("observed_on", sa.Date(), nullable=False),
        sa.Column("observed_until", sa.Date(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("rate_on", sa.Date(), nullable=True),
        sa.Column("last_seen_on", sa.Date(), nullable=False),
        sa.Column("annual_low", sa.Integer(), nullable=True),
        sa.Column("annual_high", sa.Integer(), nullable=True),
        sa.Column("annual_amount", sa.Integer(), nullable=True),
        sa.Column(
            "employment_type", sa.SmallInteger(), server_default=sa.text("0"), nullable=False
        ),
        sa.Column("work_mode", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("pay_period", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("rate_pending", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("amount_min", sa.Numeric(), nullable=True),
        sa.Column("amount_max", sa.Numeric(), nullable=True),
        sa.Column("fte", sa.Numeric(), server_default=sa.text("1"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column("level_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("industry_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("precision", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("role_stated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("level_stated", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("role_id", "record_id", name=op.f("pk_salary_records")),
    )
    op.create_index(
        "ix_salary_records_changed_import_id",
        "salary_records",
        ["changed_import_id"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "ix_salary_records_import_id",
        "salary_records",
        ["import_id"],
        unique=False,
        postgresql_using="brin",
    )
    op.create_index(
        "ix_salary_records_rate_pending",
        "salary_records",
        ["currency"],
        unique=False,
        postgresql_where=sa.text("rate_pending"),
    )
    op.create_index(
        "ix_salary_records_source_id_observed_on",
        "salary_records",
        ["source_id", "observed_on"],
        unique=False,
    )
    op.create_table(
        "secrets",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secrets")),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("confidential", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("demo", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("recurrence", sa.SmallInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("licence", sa.Text(), nullable=True),
        sa.Column("url", sa.Text(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("code", name=op.f("uq_sources_code")),
    )
    op.create_table(
        "title_aliases",
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("role_id", sa.Integer(), nullable=False),
        sa.Column("level_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("focus_area", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("text", name=op.f("pk_title_aliases")),
    )
    op.create_index(op.f("ix_title_aliases_role_id"), "title_aliases", ["role_id"], unique=False)
    op.create_table(
        "titles",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("role_id", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("level_id", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("focus_area", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), server_default=sa.text("0"), nullable=False),
        sa.Column("method", sa.Text(), server_default=sa.text("'none'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_titles")),
    )
    op.create_index("uq_titles_text_md5", "titles", [sa.literal_column("md5(text)")], unique=True)
    op.execute("CREATE SEQUENCE record_ids")
    op.execute("INSERT INTO epoch (epoch) VALUES (1)")
    # Row 0 of every dimension is 'unspecified': columns that refer to it are never null.
    op.execute("INSERT INTO roles (id, code, name) VALUES (0, 'unspecified', 'Unspecified')")
    op.execute("INSERT INTO levels (id, code, name) VALUES (0, 'unspecified', 'Unspecified')")
    op.execute("INSERT INTO industries (id, code, name) VALUES (0, 'unspecified', 'Unspecified')")
    op.execute(
        "INSERT INTO regions (id, code, name, ancestors)"
        " VALUES (0, 'unspecified', 'Unspecified', '{0}')"
    )
    op.execute("INSERT INTO titles (id, text) VALUES (0, '')")


def downgrade() -> None:
    op.execute("DROP SEQUENCE record_ids")
    op.drop_index("uq_titles_text_md5", table_name="titles")
    op.drop_table("titles")
    op.drop_index(op.f("ix_title_aliases_role_id"), table_name="title_aliases")
    op.drop_table("title_aliases")
    op.drop_table("sources")
    op.drop_table("secrets")
    op.drop_index("ix_salary_records_source_id_observed_on", table_name="salary_records")
    op.drop_index(
        "ix_salary_records_rate_pending",
        table_name="salary_records",
        postgresql_where=sa.text("rate_pending"),
    )
    op.drop_index(
        "ix_salary_records_import_id", table_name="salary_records", postgresql_using="brin"
    )
    op.drop_index(
        "ix_salary_records_changed_import_id", table_name="salary_records", postgresql_using="brin"
    )
    op.drop_table("salary_records")
    op.drop_table("salary_identities")
    op.drop_table("roles")
    op.drop_table("role_versions")
    op.drop_index(op.f("ix_regions_parent_id"), table_name="regions")
    op.drop_table("regions")
    op.drop_table("profiles")
    op.drop_table("levels")
    op.drop_table("industries")
    op.drop_index(op.f("ix_imports_source_id"), table_name="imports")
    op.drop_table("imports")
    op.drop_index(op.f("ix_idempotency_keys_import_id"), table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("exchange_rates")
    op.drop_table("epoch")
    op.drop_index("ix_demand_records_source_id_observed_on", table_name="demand_records")
    op.drop_index(
        "ix_demand_records_import_id", table_name="demand_records", postgresql_using="brin"
    )
    op.drop_index(
        "ix_demand_records_changed_import_id", table_name="demand_records", postgresql_using="brin"
    )
    op.drop_table("demand_records")
    op.drop_table("demand_identities")
    op.drop_index("ix_benchmarks_soc", table_name="benchmarks")
    op.drop_table("benchmarks")
    op.drop_table("audit_log")
    op.drop_table("api_keys")
