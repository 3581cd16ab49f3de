//! What a function or a container is given: the variables that it reads, and no others, with the secrets that they stand for.
//!
//! On AWS a variable holds no secret but says where it is, as ECS does: `{arn:aws:secretsmanager:…:secret:name-AbCdEf}`, or
//! `{arn:…:secret:name-AbCdEf:username::}` for one field of a secret that is a JSON object. In a longer value, such as a URL, what
//! comes in its place is percent-encoded.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_secretsmanager::error::DisplayErrorContext;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::aws::secrets_manager;
use crate::config::{self, Config, ConfigError};

/// What every function and container reads.
pub const EVERYWHERE: &[&str] = &["APP_ENV", "LOG_LEVEL", "LOG_FILE", "METRICS_NAMESPACE"];
/// What is read to reach PostgreSQL.
pub const DATABASE: &[&str] = &["DATABASE_URL", "DATABASE_LOGIN", "SLOW_QUERY_MS"];
/// What is read to answer HTTP requests.
pub const HTTP: &[&str] =
    &["REDIS_URL", "JWT_PUBLIC_KEYS", "JWT_PUBLIC_KEY_PATH", "CORS_ORIGINS", "ORIGIN_SECRET", "RATE_LIMIT_PER_MINUTE"];

/// What has no default, but without which whoever reads it cannot work.
const NEEDED: &[&str] = &[
    "DATABASE_URL",
    "REDIS_URL",
    "RABBITMQ_URL",
    "NUDGE_QUEUE_URL",
    "PARKED_QUEUE_URL",
    "UPLOAD_BUCKET",
    "IMAGE_BUCKET",
];

/// How a value that stands for a secret begins.
const BEGINNING: &str = "{arn:";
/// Parts of a secret's ARN, divided by colons.
const ARN_PARTS: usize = 7;

/// The configuration that these variables make; everything else stands at its default.
///
/// # Errors
/// When one that is needed is missing, a secret cannot be had, or the configuration is wrong.
pub async fn read(variables: &[&[&str]]) -> Result<Config, Box<dyn std::error::Error + Send + Sync>> {
    let mut set = config::set_variables();
    let reads = |name: &str| variables.iter().any(|names| names.contains(&name));
    set.retain(|name, value| reads(name) && !value.trim().is_empty());
    let missing = NEEDED.iter().filter(|name| reads(name) && !set.contains_key(**name));
    let mut mistakes: Vec<_> = missing.map(|name| format!("{name} is missing")).collect();
    // Before anybody is asked for secrets.
    let config = match Config::read(&set) {
        Ok(config) if mistakes.is_empty() => config,
        read => {
            mistakes.extend(read.err().into_iter().flat_map(|error| error.0));
            return Err(ConfigError(mistakes).into());
        }
    };
    let wanted: BTreeSet<_> = set.values().flat_map(|value| references(value)).map(|reference| reference.arn).collect();
    if wanted.is_empty() {
        return Ok(config);
    }
    Ok(Config::read(&fill_in(&set, &secrets(wanted).await?)?)?)
}

/// A secret, or a field of one, that a value stands for.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    /// All of it, with its braces.
    text: &'a str,
    arn: String,
    field: Option<&'a str>,
}

fn references(value: &str) -> Vec<Reference<'_>> {
    let found = value.match_indices(BEGINNING).filter_map(|(at, _)| {
        let end = at + value[at..].find('}')? + 1;
        let text = &value[at..end];
        let parts: Vec<_> = text[1..text.len() - 1].split(':').collect();
        let arn = parts.iter().take(ARN_PARTS).copied().collect::<Vec<_>>().join(":");
        Some(Reference { text, arn, field: parts.get(ARN_PARTS).copied().filter(|field| !field.is_empty()) })
    });
    found.collect()
}

/// These secrets by their ARN, in one question.
async fn secrets(arns: BTreeSet<String>) -> Result<BTreeMap<String, String>, String> {
    let asking =
        secrets_manager().await.batch_get_secret_value().set_secret_id_list(Some(arns.into_iter().collect())).send();
    let answer = asking.await.map_err(|error| format!("secrets cannot be read: {}", DisplayErrorContext(error)))?;
    if let Some(error) = answer.errors().first() {
        let (id, why) = (error.secret_id().unwrap_or_default(), error.message().unwrap_or_default());
        return Err(format!("the secret {id} cannot be read: {why}"));
    }
    let secrets = answer.secret_values().iter();
    Ok(secrets.filter_map(|secret| Some((secret.arn()?.to_owned(), secret.secret_string()?.to_owned()))).collect())
}

fn fill_in(
    variables: &HashMap<String, String>,
    secrets: &BTreeMap<String, String>,
) -> Result<HashMap<String, String>, String> {
    let filled = variables.iter().map(|(name, value)| {
        let mut filled = value.clone();
        for reference in references(value) {
            let secret = secret(&reference, secrets).map_err(|why| format!("{name}: {why}"))?;
            filled = if reference.text == value {
                secret
            } else {
                filled.replace(reference.text, &utf8_percent_encode(&secret, NON_ALPHANUMERIC).to_string())
            };
        }
        Ok((name.clone(), filled))
    });
    filled.collect()
}

fn secret(reference: &Reference<'_>, secrets: &BTreeMap<String, String>) -> Result<String, String> {
    let arn = &reference.arn;
    let secret = secrets.get(arn).ok_or_else(|| format!("the secret {arn} has no text"))?;
    let Some(field) = reference.field else { return Ok(secret.clone()) };
    let fields: Value = serde_json::from_str(secret).map_err(|_| format!("the secret {arn} is no JSON object"))?;
    let field = fields.get(field).and_then(Value::as_str).ok_or_else(|| format!("the secret {arn} has no {field}"))?;
    Ok(field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:ap-northeast-2:123456789012:secret:table-order/dev/rabbitmq-AbCdEf";

    fn filled(value: &str, secret: &str) -> Result<String, String> {
        let variables = HashMap::from([("RABBITMQ_URL".to_owned(), value.to_owned())]);
        let secrets = BTreeMap::from([(ARN.to_owned(), secret.to_owned())]);
        fill_in(&variables, &secrets).map(|variables| variables["RABBITMQ_URL"].clone())
    }

    #[test]
    fn fields_of_a_secret_stand_percent_encoded_in_a_url() {
        let value = format!("amqps://{{{ARN}:username::}}:{{{ARN}:password::}}@broker:5671");
        let url = filled(&value, r#"{"username": "table-order", "password": "a/b@c"}"#).unwrap();
        assert_eq!(url, "amqps://table%2Dorder:a%2Fb%40c@broker:5671");
    }

    #[test]
    fn a_value_that_is_one_secret_is_the_secret() {
        assert_eq!(filled(&format!("{{{ARN}}}"), "-----BEGIN\nKEY/+=").unwrap(), "-----BEGIN\nKEY/+=");
    }

    #[test]
    fn what_is_no_reference_stays() {
        for value in ["{\"keys\": []}", "postgres://u:{x}@h/d", "{arn:never:closed"] {
            assert_eq!(filled(value, "secret").unwrap(), value);
        }
    }

    #[test]
    fn what_a_secret_does_not_have_is_said_without_the_secret() {
        for (secret, said) in [("hunter2", "is no JSON object"), (r#"{"password": "hunter2"}"#, "has no username")] {
            let refusal = filled(&format!("{{{ARN}:username::}}"), secret).unwrap_err();
            assert!(refusal.starts_with("RABBITMQ_URL: ") && refusal.ends_with(said), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
        let other = format!("{{{}-and-more}}", ARN);
        assert!(filled(&other, "secret").unwrap_err().ends_with("has no text"));
    }
}
