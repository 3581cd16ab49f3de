//! Logging in to RDS with tokens of IAM instead of a password.
//!
//! A token is a signed URL. It is made in this process and good for 15 minutes; whoever is connected stays connected. In a
//! Lambda environment, which is frozen between two events, no timer could renew it: whoever is about to ask the database does.

use std::sync::{Arc, Mutex, PoisonError};

use aws_config::SdkConfig;
use aws_sdk_rds::auth_token::{AuthTokenGenerator, Config as AuthTokenConfig};
use chrono::TimeDelta;
use sqlx::PgPool;
use tokio::sync::OnceCell;

use crate::aws;
use crate::clock::Clock;
use crate::config::{Config, DatabaseLogin};
use crate::domain::Timestamp;
use crate::error::{Error, Result};

/// A token older than this is replaced. It is good for 15 minutes, of which a connection may need some seconds.
const TOKEN_LIFE: TimeDelta = TimeDelta::minutes(10);

/// How a pool's new connections log in.
#[derive(Clone, Debug)]
pub struct Login(Option<Arc<Iam>>);

#[derive(Debug)]
struct Iam {
    db: PgPool,
    clock: Clock,
    aws: OnceCell<SdkConfig>,
    good_until: Mutex<Option<Timestamp>>,
}

impl Login {
    /// As the configuration says.
    pub fn new(config: &Config, db: &PgPool, clock: &Clock) -> Self {
        match config.database_login {
            DatabaseLogin::Password => Self(None),
            DatabaseLogin::Iam => Self::iam(db, clock),
        }
    }

    /// With tokens that are made of the environment's credentials.
    pub fn iam(db: &PgPool, clock: &Clock) -> Self {
        Self::iam_with(db, clock, None)
    }

    /// With tokens that are made of these credentials.
    pub fn iam_with(db: &PgPool, clock: &Clock, aws: Option<SdkConfig>) -> Self {
        let aws = OnceCell::new_with(aws);
        Self(Some(Arc::new(Iam { db: db.clone(), clock: clock.clone(), aws, good_until: Mutex::default() })))
    }

    /// See that connections opened from now on have a token that is good. To be called before the database is asked; it
    /// costs a look at the clock, and a signature every ten minutes.
    ///
    /// # Errors
    /// When there are no credentials of AWS.
    pub async fn renew(&self) -> Result<()> {
        let Some(iam) = &self.0 else { return Ok(()) };
        let now = iam.clock.now();
        if iam.good_until.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| now < until) {
            return Ok(());
        }
        let options = iam.db.connect_options();
        let for_whom = AuthTokenConfig::builder()
            .hostname(options.get_host())
            .port(options.get_port().into())
            .username(options.get_username())
            .build()
            .map_err(Error::internal)?;
        let aws = iam.aws.get_or_init(aws::config).await;
        let token = AuthTokenGenerator::new(for_whom).auth_token(aws).await.map_err(Error::unavailable)?;
        iam.db.set_connect_options((*options).clone().password(token.as_str()));
        *iam.good_until.lock().unwrap_or_else(PoisonError::into_inner) = Some(now + TOKEN_LIFE);
        Ok(())
    }
}
