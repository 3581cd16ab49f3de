//! Every environment variable the service reads, in one typed place.
//!
//! [`VARIABLES`] is the list; a test holds `.env.example` against it. All mistakes are reported together.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use axum::http::HeaderValue;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};

/// What one variable means.
#[derive(Clone, Copy, Debug)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value when it is not set; `None` where there is none.
    pub default: Option<&'static str>,
    /// One line on it.
    pub about: &'static str,
}

const fn variable(name: &'static str, default: Option<&'static str>, about: &'static str) -> Variable {
    Variable { name, default, about }
}

/// Every variable, in the order of `.env.example`.
pub const VARIABLES: &[Variable] = &[
    variable("APP_ENV", Some("development"), "development, test or production"),
    variable("HOST", Some("127.0.0.1"), "address that `make run` and `stream` listen on"),
    variable("PORT", Some("8000"), "port that `make run` and `stream` listen on"),
    variable(
        "DATABASE_URL",
        None,
        "PostgreSQL, as postgres://user:password@host:5432/name; without it `make run` starts its own",
    ),
    variable("DATABASE_LOGIN", Some("password"), "password, or iam for a token that is made of AWS' credentials"),
    variable(
        "SERVICE_ROLE",
        None,
        "the role that the service logs in as with a token; `migrate`, which owns the tables, makes it",
    ),
    variable(
        "REDIS_URL",
        None,
        "Redis, as redis://:password@host:6379, with TLS as rediss://…; `make run` does without",
    ),
    variable("RABBITMQ_URL", None, "RabbitMQ, as amqp://user:password@host:5672, with TLS as amqps://…:5671"),
    variable("NUDGE_QUEUE_URL", None, "the SQS queue that tells `relay` of a new event"),
    variable("PARKED_QUEUE_URL", None, "the SQS queue that keeps messages which `fanout` cannot read"),
    variable(
        "JWT_PRIVATE_KEY_PATH",
        Some("keys/private.pem"),
        "RSA key that signs tokens (PKCS#8 PEM); only `auth` reads it",
    ),
    variable("JWT_PRIVATE_KEY", None, "the same as PEM text, instead of the file"),
    variable(
        "JWT_PUBLIC_KEY_PATH",
        Some("keys/public.pem"),
        "RSA keys that tokens are checked with, one PEM after the other: the present one and, while it is rotated, the last",
    ),
    variable("JWT_PUBLIC_KEYS", None, "the same as JWKS text, instead of the file"),
    variable("SIGNING_KEY_SECRET", None, "the secret of AWS that `migrate` keeps the private key in"),
    variable("SUPER_ADMIN_SECRET", None, "the secret of AWS that `migrate` leaves the first super admin's password in"),
    variable("JWT_ADMIN_EXPIRE_HOURS", Some("16"), "life of an admin's token, in hours (1 to 720)"),
    variable("JWT_TABLE_EXPIRE_HOURS", Some("24"), "life of a table's token, in hours (1 to 720)"),
    variable(
        "CORS_ORIGINS",
        Some("http://localhost:3000,http://localhost:3001"),
        "origins of the web clients, separated by commas",
    ),
    variable("ORIGIN_SECRET", None, "what CloudFront sends in x-origin-secret, so that its viewer address is believed"),
    variable("RATE_LIMIT_PER_MINUTE", Some("100"), "requests a caller may make in any 60 seconds (1 to 1000000)"),
    variable("LOG_LEVEL", None, "error, warn, info, debug or trace; by default debug in development, info elsewhere"),
    variable(
        "LOG_FILE",
        None,
        "a file that logs are written to besides standard output; seven are kept, of a day or 100 MB each",
    ),
    variable(
        "SLOW_QUERY_MS",
        Some("2000"),
        "a query that takes longer is logged and counted as slow, in milliseconds (0 to 60000)",
    ),
    variable(
        "METRICS_NAMESPACE",
        None,
        "CloudWatch's namespace for metrics, which are then written to standard output",
    ),
    variable("UPLOAD_QUEUE_URL", None, "the SQS queue that S3 tells of uploads, for `images`"),
    variable("UPLOAD_BUCKET", None, "the S3 bucket that pictures are uploaded to"),
    variable("IMAGE_BUCKET", None, "the S3 bucket that guests see pictures from"),
    variable(
        "S3_PUBLIC_ENDPOINT",
        None,
        "where clients reach S3, if not where the service does; `make run` listens there, on a free port if it is not set",
    ),
    variable(
        "IMAGE_BASE_URL",
        Some("http://localhost:8000/images"),
        "where pictures are served, without a slash at the end",
    ),
];

/// Which kind of place this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    /// A developer's machine.
    Development,
    /// A test run.
    Test,
    /// Real guests.
    Production,
}

impl FromStr for AppEnv {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "development" => Ok(Self::Development),
            "test" => Ok(Self::Test),
            "production" => Ok(Self::Production),
            _ => Err("must be development, test or production"),
        }
    }
}

/// How a process logs in to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseLogin {
    /// With what `DATABASE_URL` says.
    Password,
    /// With a token that is made of AWS' credentials.
    Iam,
}

/// The configuration, read once at the start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which kind of place this is.
    pub app_env: AppEnv,
    /// Address to listen on.
    pub host: IpAddr,
    /// Port to listen on.
    pub port: u16,
    /// PostgreSQL, with its password.
    pub database_url: Option<SecretString>,
    /// How to log in to it.
    pub database_login: DatabaseLogin,
    /// The role that the service logs in as, where that is not the owner of the tables.
    pub service_role: Option<String>,
    /// Redis, with its password.
    pub redis_url: Option<SecretString>,
    /// RabbitMQ, with its password.
    pub rabbitmq_url: Option<SecretString>,
    /// The queue that tells the relay of a new event.
    pub nudge_queue_url: Option<String>,
    /// The queue of unreadable messages.
    pub parked_queue_url: Option<String>,
    /// The key that signs tokens.
    pub jwt_private_key_path: PathBuf,
    /// The same as PEM text.
    pub jwt_private_key: Option<SecretString>,
    /// The keys that tokens are checked with.
    pub jwt_public_key_path: PathBuf,
    /// The same as JWKS text.
    pub jwt_public_keys: Option<String>,
    /// Where `migrate` keeps the private key.
    pub signing_key_secret: Option<String>,
    /// Where `migrate` leaves the first super admin's password.
    pub super_admin_secret: Option<String>,
    /// Life of an admin's token.
    pub admin_token_life: TimeDelta,
    /// Life of a table's token.
    pub table_token_life: TimeDelta,
    /// Origins of the web clients.
    pub cors_origins: Vec<HeaderValue>,
    /// What CloudFront proves itself with.
    pub origin_secret: Option<SecretString>,
    /// Requests a caller may make in any 60 seconds.
    pub rate_limit_per_minute: usize,
    /// What is logged.
    pub log_level: tracing::Level,
    /// A file that is logged to besides standard output.
    pub log_file: Option<PathBuf>,
    /// A query that takes longer is slow.
    pub slow_query: Duration,
    /// CloudWatch's namespace for metrics.
    pub metrics_namespace: Option<String>,
    /// The queue that S3 tells of uploads.
    pub upload_queue_url: Option<String>,
    /// The bucket that pictures are uploaded to.
    pub upload_bucket: Option<String>,
    /// The bucket that guests see pictures from.
    pub image_bucket: Option<String>,
    /// Where clients reach S3.
    pub s3_public_endpoint: Option<String>,
    /// Where pictures are served.
    pub image_base_url: String,
}

/// What is wrong with the environment, a line for each variable.
#[derive(PartialEq, Eq)]
pub struct ConfigError(pub Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong: ")?;
        f.write_str(&self.0.join("; "))
    }
}

impl fmt::Debug for ConfigError {
    /// The same sentence: this is how it is shown when a program's `main` returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Read the process's environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(&set_variables())
    }

    /// Read these variables. An empty value counts as none.
    pub fn read(variables: &HashMap<String, String>) -> Result<Self, ConfigError> {
        let mut read = Reader { variables, mistakes: Vec::new() };
        let app_env = read.parse("APP_ENV", AppEnv::from_str);
        let default_level =
            if app_env == Some(AppEnv::Development) { tracing::Level::DEBUG } else { tracing::Level::INFO };
        let host = read.parse("HOST", |text| text.parse().map_err(|_| "must be an IP address"));
        let port = read.parse("PORT", |text| text.parse().map_err(|_| "must be a port, 0 to 65535"));
        let database_url = read.optional("DATABASE_URL", |text| {
            let known = text.starts_with("postgres://") || text.starts_with("postgresql://");
            if known { Ok(SecretString::from(text)) } else { Err("must begin with postgres://") }
        });
        let database_login = read.parse("DATABASE_LOGIN", |text| match text {
            "password" => Ok(DatabaseLogin::Password),
            "iam" => Ok(DatabaseLogin::Iam),
            _ => Err("must be password or iam"),
        });
        let service_role = read.optional("SERVICE_ROLE", role);
        let redis_url = read.optional("REDIS_URL", |text| {
            let known = text.starts_with("redis://") || text.starts_with("rediss://");
            if known { Ok(SecretString::from(text)) } else { Err("must begin with redis:// or rediss://") }
        });
        let rabbitmq_url = read.optional("RABBITMQ_URL", |text| {
            let known = text.starts_with("amqp://") || text.starts_with("amqps://");
            if known { Ok(SecretString::from(text)) } else { Err("must begin with amqp:// or amqps://") }
        });
        let nudge_queue_url = read.optional("NUDGE_QUEUE_URL", http_url);
        let parked_queue_url = read.optional("PARKED_QUEUE_URL", http_url);
        let jwt_private_key_path = read.parse("JWT_PRIVATE_KEY_PATH", |text| Ok(PathBuf::from(text)));
        let jwt_private_key = read.optional("JWT_PRIVATE_KEY", |text| Ok(SecretString::from(text)));
        let jwt_public_key_path = read.parse("JWT_PUBLIC_KEY_PATH", |text| Ok(PathBuf::from(text)));
        let jwt_public_keys = read.optional("JWT_PUBLIC_KEYS", |text| Ok(text.to_owned()));
        let signing_key_secret = read.optional("SIGNING_KEY_SECRET", |text| Ok(text.to_owned()));
        let super_admin_secret = read.optional("SUPER_ADMIN_SECRET", |text| Ok(text.to_owned()));
        let admin_token_life = read.parse("JWT_ADMIN_EXPIRE_HOURS", hours);
        let table_token_life = read.parse("JWT_TABLE_EXPIRE_HOURS", hours);
        let cors_origins = read.parse("CORS_ORIGINS", origins);
        let origin_secret = read.optional("ORIGIN_SECRET", |text| Ok(SecretString::from(text)));
        let rate_limit_per_minute = read.parse("RATE_LIMIT_PER_MINUTE", |text| {
            text.parse().ok().filter(|n| (1..=1_000_000).contains(n)).ok_or("must be a number from 1 to 1000000")
        });
        let log_level =
            read.optional("LOG_LEVEL", |text| text.parse().map_err(|_| "must be error, warn, info, debug or trace"));
        let log_file = read.optional("LOG_FILE", |text| Ok(PathBuf::from(text)));
        let slow_query = read.parse("SLOW_QUERY_MS", |text| {
            let millis = text.parse().ok().filter(|n| *n <= 60_000).ok_or("must be milliseconds, 0 to 60000")?;
            Ok(Duration::from_millis(millis))
        });
        let metrics_namespace = read.optional("METRICS_NAMESPACE", |text| Ok(text.to_owned()));
        let upload_queue_url = read.optional("UPLOAD_QUEUE_URL", http_url);
        let upload_bucket = read.optional("UPLOAD_BUCKET", |text| Ok(text.to_owned()));
        let image_bucket = read.optional("IMAGE_BUCKET", |text| Ok(text.to_owned()));
        let s3_public_endpoint = read.optional("S3_PUBLIC_ENDPOINT", http_url);
        let image_base_url = read.parse("IMAGE_BASE_URL", http_url);
        // Only now, so that every mistake has been seen. What is `None` here has been reported.
        let config = || {
            Some(Self {
                app_env: app_env?,
                host: host?,
                port: port?,
                database_url: database_url?,
                database_login: database_login?,
                service_role: service_role?,
                redis_url: redis_url?,
                rabbitmq_url: rabbitmq_url?,
                nudge_queue_url: nudge_queue_url?,
                parked_queue_url: parked_queue_url?,
                jwt_private_key_path: jwt_private_key_path?,
                jwt_private_key: jwt_private_key?,
                jwt_public_key_path: jwt_public_key_path?,
                jwt_public_keys: jwt_public_keys?,
                signing_key_secret: signing_key_secret?,
                super_admin_secret: super_admin_secret?,
                admin_token_life: admin_token_life?,
                table_token_life: table_token_life?,
                cors_origins: cors_origins?,
                origin_secret: origin_secret?,
                rate_limit_per_minute: rate_limit_per_minute?,
                log_level: log_level?.unwrap_or(default_level),
                log_file: log_file?,
                slow_query: slow_query?,
                metrics_namespace: metrics_namespace?,
                upload_queue_url: upload_queue_url?,
                upload_bucket: upload_bucket?,
                image_bucket: image_bucket?,
                s3_public_endpoint: s3_public_endpoint?,
                image_base_url: image_base_url?,
            })
        };
        config().ok_or(ConfigError(read.mistakes))
    }
}

impl Config {
    /// The values of these variables, which have no default, but without which a process cannot do its work.
    ///
    /// # Errors
    /// When some are not set; all of them are named.
    pub fn required<const N: usize>(&self, names: [&'static str; N]) -> Result<[&str; N], ConfigError> {
        let value = |name| match name {
            "DATABASE_URL" => self.database_url.as_ref().map(ExposeSecret::expose_secret),
            "REDIS_URL" => self.redis_url.as_ref().map(ExposeSecret::expose_secret),
            "RABBITMQ_URL" => self.rabbitmq_url.as_ref().map(ExposeSecret::expose_secret),
            "NUDGE_QUEUE_URL" => self.nudge_queue_url.as_deref(),
            "PARKED_QUEUE_URL" => self.parked_queue_url.as_deref(),
            "SERVICE_ROLE" => self.service_role.as_deref(),
            "SIGNING_KEY_SECRET" => self.signing_key_secret.as_deref(),
            "SUPER_ADMIN_SECRET" => self.super_admin_secret.as_deref(),
            "UPLOAD_QUEUE_URL" => self.upload_queue_url.as_deref(),
            "UPLOAD_BUCKET" => self.upload_bucket.as_deref(),
            "IMAGE_BUCKET" => self.image_bucket.as_deref(),
            _ => None,
        };
        let missing: Vec<_> = names.iter().filter(|name| value(name).is_none()).collect();
        if missing.is_empty() {
            Ok(names.map(|name| value(name).unwrap_or_default()))
        } else {
            Err(ConfigError(missing.iter().map(|name| format!("{name} is missing")).collect()))
        }
    }
}

/// The variables that are set. One that is no text is none of ours.
pub fn set_variables() -> HashMap<String, String> {
    let texts =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.collect()
}

struct Reader<'a> {
    variables: &'a HashMap<String, String>,
    mistakes: Vec<String>,
}

impl Reader<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        let set = self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
        set.or_else(|| VARIABLES.iter().find(|variable| variable.name == name).and_then(|variable| variable.default))
    }

    fn parse<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, &'static str>) -> Option<T> {
        match self.value(name).map(parse) {
            Some(Ok(value)) => Some(value),
            Some(Err(reason)) => {
                self.mistakes.push(format!("{name} {reason}"));
                None
            }
            None => {
                self.mistakes.push(format!("{name} is missing"));
                None
            }
        }
    }

    fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, &'static str>) -> Option<Option<T>> {
        if self.value(name).is_some() { self.parse(name, parse).map(Some) } else { Some(None) }
    }
}

fn hours(text: &str) -> Result<TimeDelta, &'static str> {
    let hours = text.parse().ok().filter(|hours| (1..=720).contains(hours)).ok_or("must be hours, 1 to 720")?;
    Ok(TimeDelta::hours(hours))
}

fn role(text: &str) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if plain { Ok(text.to_owned()) } else { Err("must be a role of lower-case letters, digits and _") }
}

fn http_url(text: &str) -> Result<String, &'static str> {
    let known = text.starts_with("http://") || text.starts_with("https://");
    if known { Ok(text.trim_end_matches('/').to_owned()) } else { Err("must begin with http:// or https://") }
}

fn origins(text: &str) -> Result<Vec<HeaderValue>, &'static str> {
    const RULE: &str = "must be origins like https://example.com, separated by commas";
    text.split(',')
        .map(str::trim)
        .map(|origin| {
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")).ok_or(RULE)?;
            if host.is_empty() || host.contains(['/', '*', ' ']) { Err(RULE) } else { origin.parse().map_err(|_| RULE) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        Config::read(&variables.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
    }

    #[test]
    fn nothing_needs_to_be_set() {
        let config = read(&[]).unwrap();
        assert_eq!(config.app_env, AppEnv::Development);
        assert_eq!(config.log_level, tracing::Level::DEBUG);
        assert_eq!(config.cors_origins.len(), 2);
        assert_eq!(config.rate_limit_per_minute, 100);
        assert_eq!(read(&[("APP_ENV", "production")]).unwrap().log_level, tracing::Level::INFO);
        assert!(read(&[("DATABASE_URL", "  ")]).unwrap().database_url.is_none());
    }

    #[test]
    fn all_mistakes_are_reported_together() {
        let mistakes = read(&[
            ("APP_ENV", "staging"),
            ("PORT", "65536"),
            ("DATABASE_URL", "mysql://x"),
            ("DATABASE_LOGIN", "kerberos"),
            ("SERVICE_ROLE", "table order"),
            ("JWT_ADMIN_EXPIRE_HOURS", "0"),
            ("CORS_ORIGINS", "https://a.example,*"),
            ("RATE_LIMIT_PER_MINUTE", "many"),
            ("LOG_LEVEL", "loud"),
            ("SLOW_QUERY_MS", "60001"),
            ("S3_PUBLIC_ENDPOINT", "localhost:9000"),
            ("IMAGE_BASE_URL", "/images"),
        ])
        .unwrap_err();
        assert_eq!(mistakes.0.len(), 12, "{mistakes}");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let config = read(&[
            ("DATABASE_URL", "postgres://user:hunter2@host/db"),
            ("ORIGIN_SECRET", "hunter3"),
            ("JWT_PRIVATE_KEY", "hunter4"),
        ])
        .unwrap();
        assert!(!format!("{config:?}").contains("hunter"));
    }

    /// `.env.example` names every variable, once, in this order, with its default, and nothing else.
    #[test]
    fn the_example_file_agrees() {
        let example = include_str!("../../.env.example");
        let lines: Vec<_> = example.lines().filter(|line| line.contains('=')).collect();
        let expected: Vec<_> = VARIABLES
            .iter()
            .map(|variable| match variable.default {
                Some(default) => format!("{}={default}", variable.name),
                None => format!("# {}=", variable.name),
            })
            .collect();
        assert_eq!(lines, expected);
        for variable in VARIABLES {
            assert!(example.contains(&format!("# {}", variable.about)), "{} lacks its line", variable.name);
        }
    }
}
