// Copyright: (c) 2026, wirewatch developers
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
//! Polls one interface for each line on standard input, as nlink's WireguardWatcher does, without the sleep that it begins each
//! poll with, and answers with the nanoseconds that took and the number of events.

use std::io::{BufRead, Write};
use std::time::Instant;

use nlink::netlink::genl::wireguard::WgDevice;
use nlink::netlink::genl::wireguard::watch::diff_device_states;
use nlink::netlink::{Connection, Wireguard};

#[tokio::main(flavor = "current_thread")]
async fn main() -> nlink::Result<()> {
    let interface = std::env::args().nth(1).expect("the name of an interface");
    let connection = Connection::<Wireguard>::new_async().await?;
    let mut previous: Option<WgDevice> = None;
    for line in std::io::stdin().lock().lines() {
        line.expect("a line");
        let begun = Instant::now();
        let device = connection.get_device_by_name(&interface).await?;
        let events = diff_device_states(&interface, previous.as_ref(), &device);
        previous = Some(device);
        let nanoseconds = begun.elapsed().as_nanos();
        println!("{{\"ns\": {nanoseconds}, \"found\": {}}}", events.len());
        std::io::stdout().flush().expect("a pipe");
    }
    Ok(())
}
