//! A function of lambda_runtime that answers, or fails.

use lambda_runtime::{service_fn, Error, LambdaEvent};
use serde_json::{json, Value};

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    if event["act"] == "fail" {
        return Err("no luck".into());
    }
    let left = context.deadline() > std::time::SystemTime::now();
    Ok(json!({"hello": format!("{} {} {left}", event["name"].as_str().unwrap_or(""), context.request_id)}))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::run(service_fn(handle)).await
}
