//! Ports for servers that must be told theirs.

use std::net::Ipv4Addr;
use std::net::TcpListener;
use std::net::UdpSocket;

use uuid::Uuid;

/// SeaweedFS listens for its own on each port plus this.
pub(crate) const NEIGHBOUR: u16 = 10_000;

/// Below the range from which systems take the ports of outgoing connections, neighbours included.
const FIRST: u16 = 10_240;
const COUNT: u16 = 12_000;

/// Ports that no other test process of this machine uses as long as this lives.
///
/// What keeps them apart is the UDP port of the same number, which is held here and which no
/// server uses: the system frees it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Claim<const N: usize> {
    pub(crate) ports: [u16; N],
    _held: Vec<UdpSocket>,
}

/// Claims `N` ports; with each, its neighbour.
pub(crate) fn claim<const N: usize>() -> Claim<N> {
    let mut ports = [0; N];
    let mut held = Vec::new();
    for port in &mut ports {
        let (free, sockets) = std::iter::repeat_with(random_port)
            .take(1000)
            .find_map(|port| Some((port, [try_claim(port)?, try_claim(port + NEIGHBOUR)?])))
            .expect("no two free ports on loopback in 1000 tries");
        *port = free;
        held.extend(sockets);
    }
    Claim { ports, _held: held }
}

fn random_port() -> u16 {
    let random = Uuid::new_v4().as_u128() % u128::from(COUNT);
    FIRST + u16::try_from(random).unwrap()
}

fn try_claim(port: u16) -> Option<UdpSocket> {
    let held = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()?;
    Some(held)
}

#[test]
fn claimed_ports_and_their_neighbours_are_given_to_nobody_else() {
    let claim = claim::<2>();
    for port in claim.ports {
        assert!(port + NEIGHBOUR < 32_768);
        assert!(try_claim(port).is_none());
        assert!(try_claim(port + NEIGHBOUR).is_none());
    }
}
