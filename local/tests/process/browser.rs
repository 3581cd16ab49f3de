//! A headless Chromium, driven by chromedriver. Both are Debian's, installed when they are missing.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::OnceLock;

use private_services::packages::{Packages, on_path};
use rustix::process::Signal;
use serde_json::{Value, json};
use thirtyfour::common::log::LoggingPrefsLogLevel::All;
use thirtyfour::prelude::*;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::running::{Folder, PATIENCE, ask_to_end};

const CHROMIUM: Packages = Packages {
    name: "Chromium with its driver",
    debian: &["chromium", "chromium-driver"],
    homebrew: &["--cask", "chromium", "chromedriver"],
};

const FLAGS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--remote-debugging-port=0",
    // The page is Korean for whoever reads it.
    "--accept-lang=en",
    "about:blank",
];

/// The browser and its driver.
#[derive(Clone, Debug)]
struct Programs {
    browser: PathBuf,
    driver: PathBuf,
}

impl Programs {
    fn find() -> Option<Self> {
        let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(on_path)?;
        Some(Self { browser, driver: on_path("chromedriver")? })
    }

    /// Looked for once, however many tests need them.
    fn get() -> &'static Self {
        static PROGRAMS: OnceLock<Programs> = OnceLock::new();
        PROGRAMS.get_or_init(|| CHROMIUM.find_or_install(Self::find).unwrap_or_else(|missing| panic!("{missing}")))
    }
}

/// What a program prints.
type Printed = Box<dyn AsyncRead + Send + Unpin>;

/// Start a program that chooses a free port, and read which one off what it prints: the number behind `before`.
///
/// The one it chooses may be somebody's by the time it asks for it.
async fn start(mut command: Command, printed: fn(&mut Child) -> Printed, before: &str) -> (Child, String) {
    for _ in 0..3 {
        let mut process = command.kill_on_drop(true).spawn().unwrap();
        let mut lines = BufReader::new(printed(&mut process)).lines();
        let port = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if let Some((_, rest)) = line.split_once(before) {
                    return Some(rest.chars().take_while(char::is_ascii_digit).collect());
                }
            }
            None
        };
        if let Some(port) = tokio::time::timeout(PATIENCE, port).await.expect("no port is printed") {
            // Keep reading, or it would block on a full pipe.
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (process, port);
        }
    }
    panic!("{command:?} does not start");
}

/// One page in a browser of its own.
///
/// The browser is started here and not by its driver, so that it goes with the test however that ends.
pub(crate) struct Page {
    browser: Child,
    _driver_process: Child,
    pub(crate) driver: WebDriver,
    // Dropped last.
    _folder: Folder,
}

impl Page {
    /// Open this address, 1280 by 800 pixels large.
    pub(crate) async fn open(url: &str) -> Self {
        let programs = Programs::get();
        let folder = Folder::new();
        let mut browser = Command::new(&programs.browser);
        browser.args(FLAGS).arg(format!("--user-data-dir={}", folder.0.display())).env("TMPDIR", &folder.0);
        browser.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut driver = Command::new(&programs.driver);
        driver.arg("--port=0").env("TMPDIR", &folder.0).stdout(Stdio::piped()).stderr(Stdio::null());
        let ((browser, debugger), (driver_process, port)) = tokio::join!(
            start(browser, |process| Box::new(process.stderr.take().unwrap()), "DevTools listening on ws://127.0.0.1:"),
            start(driver, |process| Box::new(process.stdout.take().unwrap()), "was started successfully on port "),
        );
        let mut capabilities = DesiredCapabilities::chrome();
        capabilities.add_experimental_option("debuggerAddress", format!("127.0.0.1:{debugger}")).unwrap();
        capabilities.set_logging_prefs("browser".to_owned(), All).unwrap();
        capabilities.set_logging_prefs("performance".to_owned(), All).unwrap();
        let driver = WebDriver::new(format!("http://127.0.0.1:{port}"), capabilities).await.unwrap();
        // Ending the processes is enough. Left to itself, a driver that is dropped would wait for them, for minutes.
        driver.clone().leak().unwrap();
        driver.set_script_timeout(PATIENCE).await.unwrap();
        let page = Self { browser, _driver_process: driver_process, driver, _folder: folder };
        page.resize(1280, 800).await;
        page.driver.goto(url).await.unwrap();
        page
    }

    /// Let the page itself be this large.
    pub(crate) async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.driver.cdp().send_raw("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    /// What a script's `return` gives.
    pub(crate) async fn run(&self, script: &str) -> Value {
        let answer = self.driver.execute(script, vec![]).await;
        answer.unwrap_or_else(|error| panic!("{script}: {error}")).json().clone()
    }

    /// What an asynchronous function's body gives.
    pub(crate) async fn run_async(&self, body: &str) -> Value {
        let script = format!(
            "const done = arguments[arguments.length - 1];
             (async () => {{ {body} }})().then(done, (error) => done({{ failed: String(error?.stack ?? error) }}));"
        );
        let answer = self.driver.execute_async(script, vec![]).await;
        answer.unwrap_or_else(|error| panic!("{body}: {error}")).json().clone()
    }

    /// Wait until this expression is true.
    pub(crate) async fn until(&self, expression: &str) {
        // Given up by the page itself, so that it can still be asked what it shows.
        let body = format!(
            "for (const end = performance.now() + {patience}; performance.now() < end; ) {{
               try {{ if ({expression}) return null; }} catch {{ /* not there yet */ }}
               await new Promise((resolve) => setTimeout(resolve, 10));
             }}
             return document.body.innerText;",
            patience = PATIENCE.as_millis() / 3,
        );
        let shown = self.run_async(&body).await;
        assert!(shown.is_null(), "never true: {expression}\n{shown}");
    }

    /// Wait until an element with these words is on the page and seen.
    pub(crate) async fn sees(&self, selector: &str, words: &[&str]) {
        let (selector, words) = (json!(selector), json!(words));
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((element) =>
               element.checkVisibility() && {words}.every((word) => element.innerText.includes(word)))"
        ))
        .await;
    }

    /// Wait until no such element is on the page.
    pub(crate) async fn loses(&self, selector: &str) {
        self.until(&format!("document.querySelector({}) === null", json!(selector))).await;
    }

    /// Tap the element, as soon as it is there and can be tapped.
    pub(crate) async fn tap(&self, selector: &str) {
        let quoted = json!(selector);
        self.until(&format!(
            "((element) => element.checkVisibility() && !element.disabled)(document.querySelector({quoted}))"
        ))
        .await;
        self.driver.find(By::Css(selector.to_owned())).await.unwrap().click().await.unwrap();
    }

    /// Type into a field.
    pub(crate) async fn write(&self, selector: &str, text: &str) {
        self.driver.find(By::Css(selector.to_owned())).await.unwrap().send_keys(text).await.unwrap();
    }

    /// The words of an element.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.run(&format!("return document.querySelector({}).innerText", json!(selector))).await;
        text.as_str().unwrap().to_owned()
    }

    /// Close the page, having seen that all it asked for was on this origin and that nothing went wrong in it.
    ///
    /// Answers that are refusals, and calls while the service was down, are no mistakes of the page.
    pub(crate) async fn close(self, origin: &str) {
        self.close_having_asked(&[&format!("{origin}/")]).await;
    }

    /// The same, where what it asked for begins with one of these.
    pub(crate) async fn close_having_asked(mut self, beginnings: &[&str]) {
        let asked_for = self.driver.get_log("performance").await.unwrap();
        let mut seen = 0;
        for entry in asked_for {
            let event: Value = serde_json::from_str(&entry.message).unwrap();
            let asked = &event["message"]["params"];
            if event["message"]["method"] == "Network.requestWillBeSent" {
                let url = asked["request"]["url"].as_str().unwrap();
                assert!(beginnings.iter().any(|beginning| url.starts_with(beginning)), "asked for {url}");
                seen += 1;
            }
        }
        assert!(seen > 5, "the browser tells of no requests");
        let log = self.driver.browser_log().await.unwrap();
        let mistakes: Vec<_> = log.iter().filter(|entry| entry.source.as_deref() != Some("network")).collect();
        assert!(mistakes.is_empty(), "{mistakes:?}");
        // Asked, it ends after its own processes: none is left that could still be writing.
        ask_to_end(&self.browser, Signal::TERM);
        tokio::time::timeout(PATIENCE, self.browser.wait()).await.expect("the browser does not end").unwrap();
    }
}
