//! Alerts: each is tried out, says what to do next, and finds its way to Slack.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::json;

use super::alerts;
use crate::compose::{read, services, texts, yaml};

#[test]
fn every_alert_says_what_to_do_and_is_tried_out() {
    let tests = yaml("ops/prometheus/rules.test.yml");
    let mut fires = BTreeSet::new();
    let mut keeps_silent = BTreeSet::new();
    for case in tests["tests"].as_array().unwrap().iter().flat_map(|test| test["alert_rule_test"].as_array().unwrap()) {
        let seen = if case["exp_alerts"] == json!([]) { &mut keeps_silent } else { &mut fires };
        seen.insert(case["alertname"].as_str().unwrap());
    }
    let alerts = alerts();
    for alert in &alerts {
        let name = alert["alert"].as_str().unwrap();
        assert!(fires.contains(name) && keeps_silent.contains(name), "{name} is not tried out in rules.test.yml");
        assert!(["warning", "critical"].contains(&alert["labels"]["severity"].as_str().unwrap()), "{name}");
        for text in ["summary", "description"] {
            assert!(alert["annotations"][text].as_str().is_some_and(|text| text.len() > 20), "{name} has no {text}");
        }
    }
    let names: BTreeSet<_> = alerts.iter().map(|alert| alert["alert"].as_str().unwrap()).collect();
    assert_eq!(fires, names, "rules.test.yml tries out what is no alert");
}

/// docs/TELEMETRY.md lists them, in the same order, with the same severity.
#[test]
fn the_alerts_are_all_documented() {
    let row = Regex::new(r"(?m)^\| `(\w+)` \| (warning|critical) \|").unwrap();
    let document = read("docs/TELEMETRY.md");
    let documented: Vec<_> = row.captures_iter(&document).map(|groups| json!([groups[1], groups[2]])).collect();
    let alerts: Vec<_> = alerts().iter().map(|alert| json!([alert["alert"], alert["labels"]["severity"]])).collect();
    assert_eq!(documented, alerts);
}

/// Whoever is down tells nothing, and so raises no other alert.
#[test]
fn every_job_is_watched() {
    let scraped = yaml("ops/prometheus/prometheus.yml");
    let jobs: Vec<_> =
        scraped["scrape_configs"].as_array().unwrap().iter().map(|job| job["job_name"].as_str().unwrap()).collect();
    let down = alerts().into_iter().find(|alert| alert["alert"] == "TargetDown").unwrap();
    assert_eq!(down["expr"], format!("up{{job=~\"{}\"}} == 0", jobs.join("|")));
}

#[test]
fn alerts_go_to_slack_by_a_webhook_that_is_not_committed() {
    let alerting = yaml("ops/alertmanager/alertmanager.yml");
    let slack = &alerting["receivers"][0]["slack_configs"][0];
    assert_eq!(
        (&alerting["route"]["receiver"], &slack["channel"]),
        (&alerting["receivers"][0]["name"], &json!("#alerts"))
    );
    let folder = "/etc/alertmanager/";
    let file = slack["api_url_file"].as_str().unwrap().strip_prefix(folder).unwrap();
    assert!(read(".gitignore").lines().any(|line| line == format!("/ops/alertmanager/{file}")));
    let given = texts(&services()["alertmanager"], "volumes");
    assert!(
        given.iter().any(|volume| volume.starts_with(&format!("./ops/alertmanager:{}:", folder.trim_end_matches('/'))))
    );
}
