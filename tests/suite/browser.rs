//! Debian's chromium without a window, steered over the protocol that it offers for that (Chrome DevTools Protocol).

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::rig::there_is;

/// Nothing that is waited for takes longer, also on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(180);

/// A browser with one page; it ends with the test.
pub struct Browser {
    child: Child,
    _profile: TempDir,
    socket: WebSocketStream<TcpStream>,
    session: Option<String>,
    last: u64,
    /// Exceptions, and what the browser refused the page to do.
    pub complaints: Vec<String>,
    /// The addresses that the page has asked for.
    pub asked: Vec<String>,
    /// What came of those that did not end well.
    pub unwell: Vec<String>,
}

impl Browser {
    /// Starts one; where there is none, the test says so and is over.
    pub async fn start(test: &str) -> Option<Self> {
        Self::start_with(test, &[]).await
    }

    /// The same with more flags.
    pub async fn start_with(test: &str, flags: &[&str]) -> Option<Self> {
        let program = "/usr/bin/chromium";
        if !there_is("chromium", Path::new(program).exists(), test) {
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let child = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
            ])
            .args(flags)
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let offered = profile.path().join("DevToolsActivePort");
        let address = async {
            loop {
                // Port and path, a line each; half of it is there for a moment.
                let text = std::fs::read_to_string(&offered).unwrap_or_default();
                if let Some((port, path)) = text.split_once('\n')
                    && !path.is_empty()
                {
                    return (port.to_owned(), path.trim().to_owned());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let address = tokio::time::timeout(PATIENCE, address).await;
        let (port, path) = address.expect("chromium does not start");
        let connection = TcpStream::connect(format!("127.0.0.1:{port}"))
            .await
            .unwrap();
        let url = format!("ws://127.0.0.1:{port}{path}");
        let (socket, _) = tokio_tungstenite::client_async(url, connection)
            .await
            .unwrap();
        let mut browser = Self {
            child,
            _profile: profile,
            socket,
            session: None,
            last: 0,
            complaints: Vec::new(),
            asked: Vec::new(),
            unwell: Vec::new(),
        };
        let target = browser
            .command("Target.createTarget", json!({"url": "about:blank"}))
            .await;
        let attached = browser
            .command(
                "Target.attachToTarget",
                json!({"targetId": target["targetId"], "flatten": true}),
            )
            .await;
        browser.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser
                .command(&format!("{domain}.enable"), json!({}))
                .await;
        }
        Some(browser)
    }

    /// Asks for something by the protocol, and gives the answer.
    pub async fn command(&mut self, method: &str, parameters: Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        let text = command.to_string();
        self.socket.send(Message::text(text)).await.unwrap();
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            let message = next.unwrap_or_else(|_| panic!("no answer to {method} {parameters}"));
            let Message::Text(text) = message.unwrap().unwrap() else {
                continue;
            };
            let mut answer: Value = serde_json::from_str(&text).unwrap();
            if answer["id"] == self.last {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].take();
            }
            self.note(&answer);
        }
    }

    fn note(&mut self, event: &Value) {
        let parameters = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self
                .complaints
                .push(parameters["exceptionDetails"].to_string()),
            "Log.entryAdded" => self.complaints.push(parameters["entry"].to_string()),
            "Network.responseReceived" => {
                let response = &parameters["response"];
                let status = response["status"].as_u64().unwrap_or_default();
                if status >= 400 {
                    self.unwell.push(format!("{status} {}", response["url"]));
                }
            }
            "Network.loadingFailed" => {
                let why = &parameters["errorText"];
                self.unwell.push(format!("{why} {}", parameters["type"]));
            }
            "Network.requestWillBeSent" => {
                let url = parameters["request"]["url"].as_str().unwrap();
                self.asked.push(url.to_owned());
            }
            _ => {}
        }
    }

    /// Opens a page.
    pub async fn open(&mut self, url: &str) {
        let opened = self.command("Page.navigate", json!({"url": url})).await;
        assert!(opened["errorText"].is_null(), "{url}: {opened}");
        self.until("document.readyState === 'complete'").await;
    }

    /// The value of an expression in the page, waited for where it is a promise.
    pub async fn value(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.command("Runtime.evaluate", parameters).await;
        assert!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        answer["result"]["value"].take()
    }

    /// The text of an expression in the page.
    pub async fn text(&mut self, expression: &str) -> String {
        let value = self.value(expression).await;
        value
            .as_str()
            .map(str::to_owned)
            .unwrap_or_else(|| panic!("{expression}: {value}"))
    }

    /// Waits until an expression holds in the page.
    pub async fn until(&mut self, expression: &str) {
        let waiting = async {
            while self.value(&format!("Boolean({expression})")).await != json!(true) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let done = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        if !done {
            let page = self.text("document.body.innerText").await;
            panic!("never: {expression}\n{page}\n{:?}", self.complaints);
        }
    }

    /// Opens a page as a user who signs in on the way there.
    pub async fn open_as(&mut self, url: &str, user: &str, password: &str) {
        self.open(url).await;
        self.until("document.getElementById('password')").await;
        self.fill("user", user).await;
        self.fill("password", password).await;
        self.value("document.querySelector('form').submit()").await;
        self.until("!document.getElementById('password') && document.readyState === 'complete'")
            .await;
    }

    /// Chooses files of this machine in the field that a selector names.
    pub async fn choose_files(&mut self, selector: &str, files: &[&Path]) {
        let document = self.command("DOM.getDocument", json!({})).await;
        let root = &document["root"]["nodeId"];
        let found = json!({"nodeId": root, "selector": selector});
        let found = self.command("DOM.querySelector", found).await;
        let files: Vec<_> = files.iter().map(|path| path.to_str().unwrap()).collect();
        let chosen = json!({"nodeId": found["nodeId"], "files": files});
        self.command("DOM.setFileInputFiles", chosen).await;
    }

    /// Cuts the network, or mends it.
    pub async fn offline(&mut self, offline: bool) {
        let conditions = json!({
            "offline": offline, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1,
        });
        self.command("Network.emulateNetworkConditions", conditions)
            .await;
    }

    /// What axe, whose script this is, finds on the page of serious and critical faults.
    pub async fn faults(&mut self, script: &str) -> Vec<String> {
        self.value(&format!("{script}; null")).await;
        let found = self
            .value(
                "axe.run().then(({ violations }) => violations
                    .filter(({ impact }) => ['serious', 'critical'].includes(impact))
                    .map(({ id, nodes }) => `${id}: ${nodes[0].html}`))",
            )
            .await;
        serde_json::from_value(found).unwrap()
    }

    /// Has pages believe that they are shown so wide, in pixels, and in the dark or not.
    pub async fn looks(&mut self, width: u32, scheme: &str) {
        let metrics = json!({
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false,
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics)
            .await;
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            // Colours on their way to others are nobody's.
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.command("Emulation.setEmulatedMedia", features).await;
    }

    /// Clicks on an element as a person does; `frame` is the frame that it is in, where it is in one.
    pub async fn click(&mut self, element: &str, frame: Option<&str>) {
        let frame = frame.unwrap_or("null");
        let place = self
            .value(&format!(
                "(() => {{
                    const [element, frame] = [{element}, {frame}];
                    (frame ?? element).scrollIntoView({{ block: 'center', behavior: 'instant' }});
                    const [inner, outer] = [element.getBoundingClientRect(), frame?.getBoundingClientRect() ?? {{ x: 0, y: 0 }}];
                    return [outer.x + inner.x + inner.width / 2, outer.y + inner.y + inner.height / 2];
                }})()"
            ))
            .await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({
                "type": kind, "x": place[0], "y": place[1], "button": "left", "clickCount": 1,
            });
            self.command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// Puts the cursor into an element.
    pub async fn focus(&mut self, id: &str) {
        self.value(&format!("document.getElementById('{id}').focus()"))
            .await;
    }

    /// Presses a key as a person does; `modifiers` are those of the protocol: 2 is Ctrl, 8 is Shift.
    pub async fn press(&mut self, key: &str, code: u32, modifiers: u32) {
        for kind in ["rawKeyDown", "keyUp"] {
            let event = json!({
                "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "modifiers": modifiers,
            });
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// Types text where the cursor is, in place of what is selected.
    pub async fn enter(&mut self, text: &str) {
        self.command("Input.insertText", json!({"text": text}))
            .await;
    }

    /// Puts text into a field, in place of what is there.
    pub async fn fill(&mut self, id: &str, text: &str) {
        self.value(&format!("document.getElementById('{id}').select()"))
            .await;
        self.focus(id).await;
        match text {
            "" => self.press("Delete", 46, 0).await,
            text => self.enter(text).await,
        }
    }

    /// Chooses the option of a list that is called so.
    pub async fn choose(&mut self, id: &str, name: &str) {
        let name = json!(name);
        let chosen = self
            .value(&format!(
                "(() => {{
                    const list = document.getElementById('{id}');
                    const option = [...list.options].find((one) => one.textContent === {name});
                    if (!option) return [...list.options].map((one) => one.textContent);
                    list.value = option.value;
                    list.dispatchEvent(new Event('change'));
                    return true;
                }})()"
            ))
            .await;
        assert_eq!(chosen, json!(true), "no {name} in {id}");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
