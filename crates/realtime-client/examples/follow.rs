//! Follows topics in a terminal: prints their messages, gaps and the state of the connection, until the end of the input.
//!
//! ```sh
//! REALTIME_TOKEN=… cargo run -p realtime-client --example follow -- ws://127.0.0.1:8080/ws order:1 chat:**
//! ```
//!
//! A topic is subscribed to; a pattern, with a `*`, is listened to, as is `@user`. Without arguments it prints how it is
//! used.

use std::{error::Error, io::stdin};

use realtime_client::{Client, ClientOptions, Delivery, Listener, TokenProvider};
use tokio::task::spawn_blocking;

const USAGE: &str =
    "usage: REALTIME_TOKEN=… follow URL TOPIC|PATTERN…, such as: follow ws://127.0.0.1:8080/ws order:1 @user";

async fn print(mut listener: Listener) {
    while let Some(delivery) = listener.next().await {
        match delivery {
            Delivery::Message(message) => {
                let from = message.topic.or(message.stream).unwrap_or_default();
                println!("{from} {} {}", message.kind, message.payload);
            }
            Delivery::Gap(gap) => println!("{} lost messages: {}", gap.stream.unwrap_or_default(), gap.reason),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Ok(token)) = (arguments.next(), std::env::var("REALTIME_TOKEN")) else {
        println!("{USAGE}");
        return Ok(());
    };
    let client = Client::connect(ClientOptions::new(url, TokenProvider::fixed(token)))?;
    let mut state = client.state();
    tokio::spawn(async move {
        while state.changed().await.is_ok() {
            let now = state.borrow_and_update().clone();
            let why = now.reason.map(|reason| format!(": {}", reason.message)).unwrap_or_default();
            eprintln!("{:?}{why}", now.phase);
        }
    });
    let mut readers = Vec::new();
    for name in arguments {
        readers.push(tokio::spawn(print(client.listen(name.as_str()).await?)));
        if !name.contains(['*', '@']) {
            let client = client.clone();
            readers.push(tokio::spawn(async move {
                let Ok(mut topic) = client.subscribe(name.as_str()).await else { return };
                drop(client);
                if let Err(error) = topic.ready().await {
                    return eprintln!("{name}: {error}");
                }
                // The listener prints; a subscription is read too, or it stops the others.
                while topic.next().await.is_some() {}
            }));
        }
    }
    spawn_blocking(|| stdin().lines().for_each(drop)).await?;
    client.close().await;
    for reader in readers {
        reader.await?;
    }
    Ok(())
}
