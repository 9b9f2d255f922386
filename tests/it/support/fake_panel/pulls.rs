//! The node fetches a file by itself, and tells nobody but its log how that goes
//! (`panel-contract.md` section 7).

use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use nestegg::model::ids::ServerId;
use url::Host;
use url::Url;

use super::host_rules::Pulls;
use super::script::Script;

/// A file that is being fetched.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) server: ServerId,
    pub(super) url: String,
    pub(super) target: PathBuf,
}

impl Pull {
    pub(super) async fn run(self, script: Script) {
        let fetched = self.fetch(&script).await;
        let mut state = script.state();
        state.hosts.of(self.server).pulls_now -= 1;
        if let Err(why) = fetched {
            state.hosts.node_log.push(why);
        }
    }

    async fn fetch(&self, script: &Script) -> Result<(), String> {
        let rules = script.state().hosts.rules.clone();
        let url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        let is_private = match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback() || address.is_private(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => true,
        };
        if is_private && rules.pulls != Pulls::FromAnywhere {
            return Err("destination resolves to internal network location".to_owned());
        }
        // No name of an example is ever looked up.
        if url
            .host_str()
            .is_some_and(|host| host.ends_with("example.com"))
        {
            return Err("no such host".to_owned());
        }
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent("Pterodactyl Panel (https://pterodactyl.io)")
            .no_proxy()
            .build()
            .map_err(|error| error.to_string())?;
        let mut answer = client
            .get(url)
            .send()
            .await
            .map_err(|error| error.without_url().to_string())?;
        if answer.status() != 200 {
            return Err(format!("got bad response status: {}", answer.status()));
        }
        let length = answer.content_length().unwrap_or(0);
        if length == 0 {
            return Err("response is missing ContentLength".to_owned());
        }
        {
            let mut state = script.state();
            let limit_mib = state.limit_mib(self.server);
            if !state.hosts.has_room(self.server, limit_mib, length) {
                return Err("not enough disk space".to_owned());
            }
        }
        let mut file = File::create(&self.target).map_err(|error| error.to_string())?;
        while let Some(chunk) = answer
            .chunk()
            .await
            .map_err(|error| error.without_url().to_string())?
        {
            for piece in chunk.chunks(64 * 1024) {
                file.write_all(piece).map_err(|error| error.to_string())?;
                if let Some(rate) = rules.pull_bytes_per_second {
                    let millis = piece.len() as u64 * 1000 / rate.max(1);
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                }
            }
        }
        Ok(())
    }
}
