//! What a program says of the machine when it describes a client.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::Builder;
use crate::types::Identity;

impl Builder {
    /// Registers the agent with this: after the first heartbeat that was delivered, when the user
    /// [changed](super::Client::user_changed), and when a server asks for it. The server decides what the agent is, which
    /// [`Event::Registered`](crate::engine::Event::Registered) tells. Only a server that was verified by its certificate or key is
    /// told. Without this the agent does not register.
    ///
    /// ```
    /// # use homing::client::Client;
    /// # use homing::types::Identity;
    /// # fn example(settings: homing::settings::Settings) -> Result<(), Box<dyn std::error::Error>> {
    /// let identity = Identity::default().with_preferred_group(Some("Laptops".parse()?));
    /// let builder = Client::builder(settings, "agent-1".parse()?).identity(identity);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(Arc::new(identity));
        self
    }

    /// What tells this machine from every other, a serial number for example. A verified server is shown an HMAC-SHA-256 of the
    /// agent id with it (`Homing-Instance`), by which it sees that a disk was copied together with the agent id. Default: the id of
    /// the system (`/etc/machine-id`, `MachineGuid`, the UUID of a Mac); where there is none, as in many containers, nothing is
    /// shown. An empty one: nothing is shown.
    #[must_use]
    pub fn machine_id(mut self, machine_id: impl AsRef<[u8]>) -> Self {
        self.machine_id = Some(Zeroizing::new(machine_id.as_ref().to_vec()));
        self
    }
}
