//! An MCP client of the Rust SDK, which prints what its user would read: `mcp-client [--token TOKEN] [--old] URL STEP...`.
//! The steps are those of `docs/mcp/client.py`, but for `prompt` and `wait`.

use std::env;
use std::error::Error;
use std::time::Duration;

use rmcp::RoleClient;
use rmcp::model::{CallToolRequestParams, JsonObject, ProtocolVersion, ReadResourceRequestParams};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::Value;

/// The SDK waits for ever for an answer that it cannot assign to a request.
const PATIENCE: Duration = Duration::from_secs(20);

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(run())
}

async fn run() -> Outcome<()> {
    let (mut token, mut is_old) = (None, false);
    let mut arguments = env::args().skip(1);
    let url = loop {
        match arguments.next().ok_or("a URL is missing")?.as_str() {
            "--token" => token = arguments.next(),
            "--old" => is_old = true,
            url => break url.to_owned(),
        }
    };
    let mut config = StreamableHttpClientTransportConfig::with_uri(url);
    if let Some(token) = token {
        config = config.auth_header(token);
    }
    let transport = StreamableHttpClientTransport::with_client(reqwest::Client::new(), config);
    let version = if is_old {
        ClientLifecycleMode::Initialize
    } else {
        ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: None,
        }
    };
    let client = match ().serve_with_lifecycle(transport, version).await {
        Ok(client) => client,
        Err(error) => {
            println!("not connected: {}", cause(&error));
            return Ok(());
        }
    };
    for step in arguments {
        match tokio::time::timeout(PATIENCE, take(&step, &client)).await {
            Ok(Ok(said)) => println!("{step}: {said}"),
            Ok(Err(error)) => println!("{step}: refused: {}", cause(&*error)),
            Err(_elapsed) => println!("{step}: no answer"),
        }
    }
    Ok(())
}

async fn take(step: &str, client: &RunningService<RoleClient, ()>) -> Outcome<String> {
    let mut words = step.split_whitespace();
    let name = words.next().ok_or("an empty step")?.to_owned();
    let text = |value: Value| value["text"].as_str().unwrap_or_default().to_owned();
    match name.as_str() {
        "tools" => {
            let tools = client.list_tools(None).await?.tools;
            let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
            Ok(names.join(", "))
        }
        "read" => {
            let uri = words.next().ok_or("a URI is missing")?;
            let answer = client.read_resource(ReadResourceRequestParams::new(uri));
            let contents = answer.await?.contents;
            let first = contents.first().ok_or("no content")?;
            Ok(text(serde_json::to_value(first)?))
        }
        _ => {
            let mut call = CallToolRequestParams::new(name);
            let argument = |word: &str| {
                let (name, value) = word.split_once('=')?;
                Some((name.to_owned(), Value::from(value)))
            };
            call.arguments = Some(words.filter_map(argument).collect::<JsonObject>());
            let content = client.call_tool(call).await?.content;
            let first = content.first().ok_or("no content")?;
            Ok(text(serde_json::to_value(first)?))
        }
    }
}

/// The last of an error's causes: those above it repeat it after their own names.
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last.to_string()
}
