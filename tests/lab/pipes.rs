//! Pipes in the place of files that the system has: opened for reading, each would wait for ever.

use serde_json::json;
use tempfile::tempdir;

use crate::agent::{Agent, Conditions};
use crate::certificates::Certificates;
use crate::manager::Manager;
use crate::namespace::Cable;
use crate::tools::{run, tool};

const SERVER: &str = Cable::SERVERS[0];

/// Puts the pipe that is the first argument in the place of every file that the agent or its C library may open, and becomes the rest.
const REPLACE: &str = r#"
for file in machine-id hosts host.conf resolv.conf nsswitch.conf gai.conf services ssl/certs/ca-certificates.crt; do
    [ ! -e "/etc/$file" ] || mount --bind "$0" "/etc/$file" || exit 1
done
[ -p /etc/machine-id ] && [ -p /etc/hosts ] || exit 1
exec "$@"
"#;

#[test]
fn pipes_in_the_place_of_files_of_the_system_keep_no_agent_from_its_server_or_its_end() {
    let (cable, folder) = (Cable::new(), tempdir().unwrap());
    let certificates = Certificates::new(folder.path(), &[SERVER]);
    let _manager = Manager::start(&cable.servers, &certificates, SERVER, "well");
    let pipe = folder.path().join("pipe");
    run(tool("mkfifo", "coreutils").arg(&pipe));
    let state = folder.path().join("state");
    let [pipe, state] = [&pipe, &state].map(|path| path.to_str().unwrap());
    let wrapper = ["sh", "-c", REPLACE, pipe];
    let arguments = ["--state", state];
    let conditions = Conditions { wrapper: &wrapper, arguments: &arguments, ..Conditions::default() };
    // The look-up of the first one's name hangs in the C library; the second one has an address.
    let servers =
        [json!({ "address": "manager.lab", "id": "named" }), json!({ "address": SERVER, "id": "well" })];
    let mut agent =
        Agent::start_under(&conditions, &cable.agent, folder.path(), &certificates.authority, &servers);
    agent.attaches_to("well");
    agent.about("heartbeat", "well");
    let status = agent.interrupt();
    assert!(status.success(), "{status}");
}
