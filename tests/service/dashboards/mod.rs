//! What is watched: Grafana finds its dashboards, and they and the alerts ask for what is told.

mod alerts;
mod business;
mod told;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::compose::{files, services, texts, yaml};

/// The dashboards, each with its file's name.
fn dashboards() -> Vec<(String, Value)> {
    let files = files("ops/grafana/dashboards");
    files.into_iter().map(|file| (file.rsplit('/').next().unwrap().to_owned(), yaml(&file))).collect()
}

/// The panels of a dashboard that show something.
fn panels(dashboard: &Value) -> impl Iterator<Item = &Value> {
    dashboard["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
}

/// The alerting rules.
fn alerts() -> Vec<Value> {
    let rules = yaml("ops/prometheus/rules.yml");
    let groups = rules["groups"].as_array().unwrap().iter();
    groups.flat_map(|group| group["rules"].as_array().unwrap().clone()).collect()
}

/// Everything that Prometheus is asked, with where it stands.
fn queries() -> Vec<(String, String)> {
    let of_alerts = alerts().into_iter().map(|alert| (alert["alert"].to_string(), alert["expr"].clone()));
    let of_panels = dashboards().into_iter().flat_map(|(file, dashboard)| {
        let of_panel = |panel: &Value| {
            let place = format!("{file}, {}", panel["title"]);
            let targets = panel["targets"].as_array().unwrap().clone();
            targets.into_iter().map(move |target| (place.clone(), target["expr"].clone()))
        };
        panels(&dashboard).flat_map(of_panel).collect::<Vec<_>>()
    });
    let asked = of_alerts.chain(of_panels);
    asked.filter_map(|(place, query)| Some((place, query.as_str()?.to_owned()))).collect()
}

#[test]
fn grafana_finds_its_dashboards_and_their_panels_find_where_to_ask() {
    let sources = yaml("ops/grafana/provisioning/datasources/table-order.yml");
    let sources = sources["datasources"].as_array().unwrap();
    let is_source =
        |value: &Value| sources.iter().any(|source| source["uid"] == value["uid"] && source["type"] == value["type"]);
    let dashboards = dashboards();
    for (file, dashboard) in &dashboards {
        for panel in panels(dashboard) {
            let place = format!("{file}, {}", panel["title"]);
            assert!(is_source(&panel["datasource"]), "{place}: there is no {}", panel["datasource"]);
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty(), "{place} asks nothing");
            assert!(targets.iter().all(|target| target["datasource"] == panel["datasource"]), "{place}");
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{place} does not say what it shows");
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            assert!(is_source(&variable["datasource"]), "{file}, {}", variable["name"]);
        }
    }
    let uids: BTreeSet<_> = dashboards.iter().map(|(_, dashboard)| dashboard["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), 4, "{uids:?}");

    let grafana = &services()["grafana"];
    let home = grafana["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].as_str().unwrap();
    let provider = yaml("ops/grafana/provisioning/dashboards/table-order.yml");
    let folder = provider["providers"][0]["options"]["path"].as_str().unwrap();
    let (place, name) = home.rsplit_once('/').unwrap();
    assert!(place == folder && dashboards.iter().any(|(file, _)| file == name), "{home}");
    assert!(texts(grafana, "volumes").contains(&format!("./ops/grafana/dashboards:{folder}:ro")));
}

#[test]
fn no_two_panels_of_a_dashboard_have_one_id_or_one_place() {
    for (file, dashboard) in dashboards() {
        let panels = dashboard["panels"].as_array().unwrap();
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in panels {
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{file}: the id of {} is another's", panel["title"]);
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
            assert!(x + w <= 24, "{file}: {} stands out", panel["title"]);
            for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
                assert!(taken.insert(cell), "{file}: {} lies on another", panel["title"]);
            }
        }
    }
}
