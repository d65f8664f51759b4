//! The limit of failed authentication by address, in memory of a fixed size.
//!
//! Every 401 counts. Above the limit the answer is 429 and says when to try again. It bounds what a
//! flood of wrong credentials costs: a signature that is verified for nothing, and an answer that
//! tells a guess from a key. A valid key or cached token is never counted, so it is never limited.
//!
//! The counts are a set-associative cache of cells of the generic cell rate algorithm (GCRA). Where
//! a set is full, the address that failed least makes room: a flood of addresses makes the limit
//! forget the quiet ones, which is lenient, and takes no further memory. What is *not* here: which
//! address a request has ([`crate::caller::client`]).

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::num::NonZeroU32;

use parking_lot::Mutex;
use streamgate_clock::Stopwatch;

use crate::caller::client::network_of;

/// Cells in all: a MiB, which is taken at the first failure.
const CELLS: usize = 1 << 16;

/// Cells of one set. An address can be in those of its set only.
const WAYS: usize = 8;

/// How often an address may fail.
#[derive(Debug)]
pub(crate) struct FailedAuth {
    /// Time that one failure uses up, in microseconds.
    interval_us: u64,
    /// How far ahead of the time a cell may be: as many failures at once as in a minute.
    burst_us: u64,
    /// Empty until something fails.
    cells: Mutex<Vec<Cell>>,
    /// Keyed by this process, so that nobody can choose addresses of one set.
    hasher: RandomState,
    watch: Stopwatch,
}

/// What is known of an address.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// The hash of the address; 0 in a cell that is free.
    tag: u64,
    /// Until when its failures are paid off, in microseconds since the process began.
    until_us: u64,
}

/// The address has failed too often; the seconds until it may try again, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooManyFailures(pub(crate) u32);

impl FailedAuth {
    /// At most so many failures a minute of each address, and as many at once.
    pub(crate) fn new(per_min: NonZeroU32) -> Self {
        let interval_us = (60_000_000 / u64::from(per_min.get())).max(1);
        Self {
            interval_us,
            burst_us: interval_us * u64::from(per_min.get()),
            cells: Mutex::default(),
            hasher: RandomState::new(),
            watch: Stopwatch::start(),
        }
    }

    /// Counts a failure.
    pub(crate) fn count(&self, address: IpAddr) -> Result<(), TooManyFailures> {
        self.count_at(address, self.now_us())
    }

    /// Whether the address may fail once more. Counts nothing.
    pub(crate) fn check(&self, address: IpAddr) -> Result<(), TooManyFailures> {
        self.check_at(address, self.now_us())
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.watch.elapsed().as_micros()).unwrap_or(u64::MAX / 2)
    }

    fn count_at(&self, address: IpAddr, now_us: u64) -> Result<(), TooManyFailures> {
        let tag = self.tag(address);
        let mut cells = self.cells.lock();
        if cells.is_empty() {
            *cells = vec![Cell::default(); CELLS];
        }
        let set = set_of(&mut cells, tag);
        let at = set.iter().position(|cell| cell.tag == tag);
        // Another address gives way: the one that is free first.
        let at = at.or_else(|| (0..WAYS).min_by_key(|at| set[*at].until_us));
        let cell = &mut set[at.expect("a set has cells")];
        let owed_until = if cell.tag == tag {
            cell.until_us.max(now_us)
        } else {
            now_us
        };
        self.is_within(owed_until, now_us)?;
        *cell = Cell {
            tag,
            until_us: owed_until + self.interval_us,
        };
        Ok(())
    }

    fn check_at(&self, address: IpAddr, now_us: u64) -> Result<(), TooManyFailures> {
        let tag = self.tag(address);
        let mut cells = self.cells.lock();
        if cells.is_empty() {
            return Ok(());
        }
        let found = set_of(&mut cells, tag).iter().find(|cell| cell.tag == tag);
        found.map_or(Ok(()), |cell| self.is_within(cell.until_us, now_us))
    }

    /// Whether one more failure is within the burst.
    fn is_within(&self, until_us: u64, now_us: u64) -> Result<(), TooManyFailures> {
        let over_us = (until_us + self.interval_us).saturating_sub(now_us + self.burst_us);
        if over_us == 0 {
            return Ok(());
        }
        let seconds = over_us.div_ceil(1_000_000).max(1);
        Err(TooManyFailures(u32::try_from(seconds).unwrap_or(u32::MAX)))
    }

    fn tag(&self, address: IpAddr) -> u64 {
        self.hasher.hash_one(network_of(address)).max(1)
    }
}

/// The cells in which an address can be.
fn set_of(cells: &mut [Cell], tag: u64) -> &mut [Cell] {
    let sets = CELLS / WAYS;
    let set = usize::try_from(tag % sets as u64).expect("there are fewer sets than memory");
    &mut cells[set * WAYS..][..WAYS]
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    const SECOND_US: u64 = 1_000_000;

    fn sixty() -> FailedAuth {
        FailedAuth::new(NonZeroU32::new(60).unwrap())
    }

    fn address(number: u32) -> IpAddr {
        Ipv4Addr::from_bits(number).into()
    }

    /// Fails as often as it may at this time; how often that was.
    fn exhaust(limit: &FailedAuth, address: IpAddr, now_us: u64) -> u32 {
        (0..)
            .find(|_| limit.count_at(address, now_us).is_err())
            .unwrap()
    }

    #[test]
    fn an_address_may_fail_a_minutes_worth_at_once_and_then_once_an_interval() {
        let limit = sixty();
        let one = address(1);
        assert_eq!(exhaust(&limit, one, 0), 60);
        assert_eq!(limit.count_at(one, 0), Err(TooManyFailures(1)));
        assert_eq!(limit.check_at(one, SECOND_US / 2), Err(TooManyFailures(1)));
        assert_eq!(limit.check_at(one, SECOND_US), Ok(()));
        assert_eq!(exhaust(&limit, one, SECOND_US), 1);
        // What is refused does not count, so that a patient caller is not kept out for ever.
        assert_eq!(exhaust(&limit, one, 11 * SECOND_US), 10);
        assert_eq!(exhaust(&limit, one, 3_600 * SECOND_US), 60);
        // Others are not concerned.
        assert_eq!(limit.check_at(address(2), 0), Ok(()));
        assert_eq!(exhaust(&limit, address(2), 0), 60);
    }

    #[test]
    fn a_rare_failure_waits_as_long_as_the_rate_says() {
        let limit = FailedAuth::new(NonZeroU32::MIN);
        assert_eq!(exhaust(&limit, address(1), 0), 1);
        assert_eq!(limit.check_at(address(1), 0), Err(TooManyFailures(60)));
        let fastest = FailedAuth::new(NonZeroU32::MAX);
        assert_eq!(fastest.count_at(address(1), 0), Ok(()));
    }

    #[test]
    fn an_ipv6_network_and_a_mapped_address_are_one_address() {
        let limit = sixty();
        let host = |last| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last));
        for last in 0..60 {
            assert_eq!(limit.count_at(host(last), 0), Ok(()));
        }
        assert!(limit.count_at(host(60), 0).is_err());
        let other = "2001:db8:0:2::1".parse().unwrap();
        assert_eq!(limit.count_at(other, 0), Ok(()));
        exhaust(&limit, address(7), 0);
        let mapped = Ipv4Addr::from_bits(7).to_ipv6_mapped().into();
        assert!(limit.check_at(mapped, 0).is_err());
    }

    #[test]
    fn a_flood_of_100_000_addresses_takes_no_memory_and_frees_nobody_who_is_limited() {
        let limit = sixty();
        assert_eq!(limit.check_at(address(0), 0), Ok(()));
        assert_eq!(limit.cells.lock().capacity(), 0);
        let attacker = address(u32::MAX);
        assert_eq!(exhaust(&limit, attacker, 0), 60);
        for number in 0..100_000 {
            assert_eq!(
                limit.count_at(address(number), 0),
                Ok(()),
                "{number} is not limited"
            );
        }
        assert_eq!(limit.check_at(attacker, 0), Err(TooManyFailures(1)));
        let cells = limit.cells.lock();
        assert_eq!(cells.capacity() * size_of::<Cell>(), 1 << 20);
    }
}
