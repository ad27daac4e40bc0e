//! All listeners of a transport, which change with its configuration.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::listener::{Listener, bind};
use super::places::Places;
use crate::core::Core;

/// What is listened at, and who counts the sessions.
#[derive(Debug, Default)]
pub(crate) struct Listeners {
    places: Arc<Places>,
    open: Vec<Open>,
}

#[derive(Debug)]
struct Open {
    /// As the configuration has it.
    binding: SocketAddr,
    /// As the system gave it.
    address: SocketAddr,
    stop: CancellationToken,
}

/// Sockets that listen and are not served yet, each with the binding that it stands for.
pub(crate) type Opened = Vec<(Listener, SocketAddr)>;

impl Listeners {
    /// Opens what is not open yet.
    ///
    /// # Errors
    ///
    /// Names the first address that cannot be listened at; what was opened is closed again.
    pub(crate) fn open(&self, bindings: &[SocketAddr]) -> Result<Opened, (SocketAddr, io::Error)> {
        let is_open = |binding: &SocketAddr| self.open.iter().any(|open| open.binding == *binding);
        let new = bindings.iter().filter(|binding| !is_open(binding));
        new.map(|binding| match bind(*binding) {
            Ok(listener) => Ok((listener, *binding)),
            Err(error) => Err((*binding, error)),
        })
        .collect()
    }

    /// Serves what was opened, and no longer what is not in `bindings`. Gives all addresses, in
    /// that order.
    pub(crate) fn serve(
        &mut self,
        core: &Arc<Core>,
        bindings: &[SocketAddr],
        opened: Opened,
    ) -> Vec<SocketAddr> {
        for (listener, binding) in opened {
            let (address, stop) = (listener.address(), core.stop.child_token());
            self.open.push(Open { binding, address, stop: stop.clone() });
            let places = Arc::clone(&self.places);
            core.spawn(listener.run(Arc::clone(core), binding, places, stop));
        }
        self.open.retain(|open| {
            let stays = bindings.contains(&open.binding);
            if !stays {
                open.stop.cancel();
            }
            stays
        });
        let place = |open: &Open| bindings.iter().position(|binding| *binding == open.binding);
        self.open.sort_by_key(place);
        self.open.iter().map(|open| open.address).collect()
    }
}
