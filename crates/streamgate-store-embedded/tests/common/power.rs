//! A disk that loses power, and one that fails.
//!
//! Each unsynced block is lost, kept or torn, as on a real disk. Each unsynced change of a name is
//! lost or kept.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use streamgate_store_embedded::disk::{Disk, DiskFile, Space};

/// The block size: a disk writes a block atomically.
const BLOCK: usize = 512;

/// A disk that loses power after a number of operations, or fails one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct PowerDisk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    world: Mutex<World>,
    released: Condvar,
}

#[derive(Debug, Default)]
struct World {
    files: Vec<Content>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    /// Names given (`Some`) and taken away since the last sync, as steps that survive together.
    steps: Vec<Vec<(String, Option<usize>)>>,
    operations: u64,
    off_at: Option<u64>,
    failing: Option<Failing>,
    /// The maximum of bytes of all named files.
    capacity: Option<usize>,
    /// The free space does not show `capacity`: a quota.
    has_quota: bool,
    /// Writes find no room, overwriting too, as on a full copy-on-write file system.
    refuses_writes: bool,
    /// How many writes found none for that.
    refused_writes: u64,
    /// Syncs of files do not return.
    held: bool,
    /// Creating a file whose name contains this blocks.
    held_creates: Option<&'static str>,
}

/// Which operations fail, while the disk goes on.
#[derive(Debug, Clone)]
pub(crate) struct Failing {
    pub(crate) operation: &'static str,
    /// A part of the file name.
    pub(crate) name: &'static str,
}

#[derive(Debug, Default, Clone)]
struct Content {
    synced: Vec<u8>,
    now: Vec<u8>,
    unsynced: Vec<(usize, Vec<u8>)>,
}

/// A small seeded random number generator.
#[derive(Debug, Clone)]
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 20).unwrap() % bound
    }
}

impl PowerDisk {
    /// Lets the power fail at the operation after the next `operations`.
    pub(crate) fn power_off_after(&self, operations: u64) {
        let mut world = self.0.world.lock();
        world.off_at = Some(world.operations + operations);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.0.world.lock().is_off()
    }

    /// Whether a file of this name would survive a power loss.
    pub(crate) fn has_for_good(&self, name: &str) -> bool {
        self.0.world.lock().synced_names.contains_key(name)
    }

    /// Lets operations fail from now on; `None` ends that.
    pub(crate) fn fail(&self, failing: Option<Failing>) {
        self.0.world.lock().failing = failing;
    }

    /// Limits the free space to this many bytes; `None` removes the limit.
    pub(crate) fn leave_room(&self, bytes: Option<usize>) {
        let mut world = self.0.world.lock();
        world.capacity = bytes.map(|bytes| world.used() + bytes);
    }

    /// Leaves no room, and does not show it in the free space, as a quota.
    pub(crate) fn use_up_quota(&self) {
        self.leave_room(Some(0));
        self.0.world.lock().has_quota = true;
    }

    /// Refuses all writes for want of room, overwriting too, or takes them again.
    pub(crate) fn refuse_writes(&self, refuses: bool) {
        self.0.world.lock().refuses_writes = refuses;
    }

    /// How many writes were refused so.
    pub(crate) fn refused_writes(&self) -> u64 {
        self.0.world.lock().refused_writes
    }

    /// Whether a segment has a batch.
    pub(crate) fn is_in_use(&self, name: &str) -> bool {
        let world = self.0.world.lock();
        let file = world.find(name).map(|file| &world.files[file]);
        // Behind the header.
        file.is_ok_and(|file| file.now.iter().skip(64).any(|byte| *byte != 0))
    }

    /// Blocks all syncs of files, or releases them.
    pub(crate) fn hold_syncs(&self, held: bool) {
        self.0.world.lock().held = held;
        self.0.released.notify_all();
    }

    /// Blocks the creation of files whose name contains this; `None` releases them.
    pub(crate) fn hold_creates(&self, name: Option<&'static str>) {
        self.0.world.lock().held_creates = name;
        self.0.released.notify_all();
    }

    /// The disk as the next start finds it when the process died and the machine did not: what was
    /// written is there, and no more on disk than it was.
    pub(crate) fn after_process_death(&self) -> Self {
        let world = self.0.world.lock();
        Self(Arc::new(Shared {
            world: Mutex::new(World {
                files: world.files.clone(),
                names: world.names.clone(),
                synced_names: world.synced_names.clone(),
                steps: world.steps.clone(),
                ..World::default()
            }),
            released: Condvar::new(),
        }))
    }

    /// The disk as the next start finds it when the power failed.
    pub(crate) fn after_power_loss(&self, chance: &mut Chance) -> Self {
        let world = self.0.world.lock();
        let mut names = world.synced_names.clone();
        for step in &world.steps {
            if chance.below(2) == 0 {
                continue;
            }
            for (name, file) in step {
                match file {
                    Some(file) => names.insert(name.clone(), *file),
                    None => names.remove(name),
                };
            }
        }
        let files = world
            .files
            .iter()
            .map(|file| file.after_power_loss(chance))
            .collect();
        Self(Arc::new(Shared {
            world: Mutex::new(World {
                files,
                synced_names: names.clone(),
                names,
                ..World::default()
            }),
            released: Condvar::new(),
        }))
    }
}

impl Content {
    /// The content of a file after a power loss.
    fn after_power_loss(&self, chance: &mut Chance) -> Self {
        let mut survived = self.synced.clone();
        // Each block survives on its own; of several writes to a block, the first few do.
        for block in 0..self.now.len().div_ceil(BLOCK) {
            let range = block * BLOCK..((block + 1) * BLOCK).min(self.now.len());
            let touching: Vec<_> = self
                .unsynced
                .iter()
                .filter(|(at, bytes)| *at < range.end && at + bytes.len() > range.start)
                .collect();
            let keep = chance.below(touching.len() + 1);
            for (at, bytes) in &touching[..keep] {
                let from = range.start.max(*at);
                let to = range.end.min(at + bytes.len());
                put(&mut survived, from, &bytes[from - at..to - at]);
            }
        }
        Self {
            synced: survived.clone(),
            now: survived,
            unsynced: Vec::new(),
        }
    }
}

impl World {
    /// Bytes of all named files.
    fn used(&self) -> usize {
        let len = |file: &usize| self.files[*file].now.len();
        self.names.values().map(len).sum()
    }

    /// Overwriting needs no further space, unless all writes are refused.
    fn check_room(&mut self, file: usize, end: usize) -> io::Result<()> {
        if self.refuses_writes {
            self.refused_writes += 1;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let more = end.saturating_sub(self.files[file].now.len());
        match self.capacity {
            Some(capacity) if more > 0 && self.used() + more > capacity => {
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => Ok(()),
        }
    }

    fn is_off(&self) -> bool {
        self.off_at.is_some_and(|at| self.operations > at)
    }

    /// Counts an operation. The one in which the power fails may still reach the disk.
    fn operation(&mut self, what: &str, name: &str) -> io::Result<bool> {
        if self.is_off() {
            return Err(io::Error::other("the power is off"));
        }
        let fails = self
            .failing
            .as_ref()
            .is_some_and(|failing| failing.operation == what && name.contains(failing.name));
        if fails {
            return Err(io::Error::other("injected"));
        }
        self.operations += 1;
        Ok(self.is_off())
    }

    /// The operation during which the power fails never returns success.
    fn done(lights_out: bool) -> io::Result<()> {
        if lights_out {
            return Err(io::Error::other("the power fails"));
        }
        Ok(())
    }

    /// The current name of a file, which may have been renamed.
    fn name_of(&self, file: usize) -> String {
        let found = self.names.iter().find(|(_, of)| **of == file);
        found.map_or_else(String::new, |(name, _)| name.clone())
    }

    /// Changes names, atomically with respect to a power loss.
    fn step(&mut self, step: Vec<(String, Option<usize>)>) {
        for (name, file) in &step {
            match file {
                Some(file) => self.names.insert(name.clone(), *file),
                None => self.names.remove(name),
            };
        }
        self.steps.push(step);
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names
            .get(name)
            .copied()
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl Disk for PowerDisk {
    fn path(&self) -> &Path {
        Path::new("/data")
    }

    fn space(&self) -> io::Result<Option<Space>> {
        let world = self.0.world.lock();
        let capacity = world.capacity.filter(|_| !world.has_quota);
        Ok(capacity.map(|capacity| Space {
            total: u64::MAX,
            free: capacity.saturating_sub(world.used()) as u64,
        }))
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut world = self.0.world.lock();
        let out = world.operation("list", "")?;
        World::done(out)?;
        Ok(world.names.keys().cloned().collect())
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.0.world.lock();
        while world.held_creates.is_some_and(|held| name.contains(held)) {
            self.0.released.wait(&mut world);
        }
        let out = world.operation("create", name)?;
        let file = world.files.len();
        world.files.push(Content::default());
        world.step(vec![(name.to_owned(), Some(file))]);
        World::done(out)?;
        Ok(Box::new(PowerFile(Arc::clone(&self.0), file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut world = self.0.world.lock();
        let out = world.operation("open", name)?;
        World::done(out)?;
        let file = world.find(name)?;
        Ok(Box::new(PowerFile(Arc::clone(&self.0), file)))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.0.world.lock();
        let out = world.operation("rename", from)?;
        let file = world.find(from)?;
        world.step(vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
        World::done(out)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.0.world.lock();
        let out = world.operation("remove", name)?;
        world.find(name)?;
        world.step(vec![(name.to_owned(), None)]);
        World::done(out)
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut world = self.0.world.lock();
        let out = world.operation("sync_dir", "")?;
        World::done(out)?;
        world.synced_names = world.names.clone();
        world.steps.clear();
        Ok(())
    }
}

#[derive(Debug)]
struct PowerFile(Arc<Shared>, usize);

impl DiskFile for PowerFile {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.world.lock().files[self.1].now.len() as u64)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let world = self.0.world.lock();
        let from = usize::try_from(offset).unwrap();
        let source = world.files[self.1].now.get(from..from + bytes.len());
        bytes.copy_from_slice(source.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.0.world.lock();
        let name = world.name_of(self.1);
        let out = world.operation("write", &name)?;
        let at = usize::try_from(offset).unwrap();
        world.check_room(self.1, at + bytes.len())?;
        let file = &mut world.files[self.1];
        put(&mut file.now, at, bytes);
        file.unsynced.push((at, bytes.to_vec()));
        World::done(out)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.0.world.lock();
        while world.held {
            self.0.released.wait(&mut world);
        }
        let name = world.name_of(self.1);
        let out = world.operation("sync", &name);
        if world.is_off() {
            return World::done(out?);
        }
        let file = &mut world.files[self.1];
        let unsynced = std::mem::take(&mut file.unsynced);
        // A kernel that could not write pages calls them clean: they can be read, they are not on
        // disk, and no later sync brings them there.
        out?;
        for (at, bytes) in unsynced {
            put(&mut file.synced, at, &bytes);
        }
        Ok(())
    }
}

/// Writes bytes into a file, which grows as needed.
fn put(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    if file.len() < at + bytes.len() {
        file.resize(at + bytes.len(), 0);
    }
    file[at..at + bytes.len()].copy_from_slice(bytes);
}

/// Where the configuration says the directory is; a [`PowerDisk`] has no real one.
pub(crate) fn no_dir() -> PathBuf {
    PathBuf::from("/data")
}
