//! The role that the service logs in as, where it does not own the tables: it may change rows, and nothing else.

use sqlx::PgConnection;

use crate::error::Result;
use crate::telemetry::queries::Named;

/// Make the role if it is missing, and give it its rights. To be called in a transaction, after the migrations, by the owner of
/// the tables.
pub async fn let_in(db: &mut PgConnection, role: &str) -> Result<()> {
    sqlx::query!("select set_config('table_order.service_role', $1, true)", role)
        .fetch_one(&mut *db)
        .named("service_role.let_in_name")
        .await?;
    sqlx::query!(
        "do $$
         declare
             service constant text := current_setting('table_order.service_role');
         begin
             if not exists (select from pg_roles where rolname = service) then
                 execute format('create role %I login', service);
             end if;
             -- On RDS, who has this role logs in with a token of IAM, and with no password.
             if exists (select from pg_roles where rolname = 'rds_iam') then
                 execute format('grant rds_iam to %I', service);
             end if;
             execute format('grant usage on schema public to %I', service);
             execute format('grant select, insert, update, delete on all tables in schema public to %I', service);
             execute format('revoke insert, update, delete on _sqlx_migrations from %I', service);
         end
         $$"
    )
    .execute(db)
    .named("service_role.let_in")
    .await?;
    Ok(())
}
