//! Nchan, a module of nginx, as Debian packages it (nginx-light, libnginx-mod-nchan).

use std::{fs, net::SocketAddr, path::Path};

use tokio::process::Command;

use super::{Start, on_path, process::pinned};
use crate::options::Result;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

pub(super) fn missing() -> Option<String> {
    if on_path("nginx").is_none() || !Path::new(MODULE).is_file() {
        return Some("install nginx-light and libnginx-mod-nchan".into());
    }
    None
}

/// `/sub/` receives what comes, `/replay/` first what is kept; both take several topics with commas between.
pub(super) fn command(start: &Start, folder: &Path, address: SocketAddr) -> Result<Command> {
    let dir = folder.display();
    // It buffers each message for the subscribers that are not yet through the one before.
    let buffer = start.history.messages().unwrap_or(128);
    let config = format!(
        "load_module {MODULE};\nworker_processes 1;\ndaemon off;\npid {dir}/pid;\nerror_log {dir}/error.log;\n\
         worker_rlimit_nofile 65536;\nevents {{ worker_connections 20000; }}\n\
         http {{\n  access_log off;\n  client_body_temp_path {dir}/body;\n  proxy_temp_path {dir}/proxy;\n\
         fastcgi_temp_path {dir}/fastcgi;\n  uwsgi_temp_path {dir}/uwsgi;\n  scgi_temp_path {dir}/scgi;\n\
         keepalive_requests 1000000;\n  nchan_message_buffer_length {buffer};\n\
         server {{\n    listen {address};\n\
         location ~ ^/sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1; nchan_channel_id_split_delimiter ,; nchan_subscriber_first_message newest; }}\n\
         location ~ ^/replay/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1; nchan_channel_id_split_delimiter ,; nchan_subscriber_first_message oldest; }}\n\
         location ~ ^/pub/(.+)$ {{ nchan_publisher http; nchan_channel_id $1; }}\n  }}\n}}\n"
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    // As root its worker would change to a user who can't see the folder.
    let mut command = pinned(start, &on_path("nginx").ok_or("no nginx")?);
    command.arg("-p").arg(folder).arg("-c").arg(&path).args(["-g", "user root;"]);
    Ok(command)
}
