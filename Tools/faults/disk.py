"""The disks that a power cut may leave.

A record (Tools/faults/record.c) lists in order all writes, creations, deletions and syncs. A record that
is cut at any place stands for many disks. `Disk.state` makes one of them at random:

  - Synced content is there: a file's content and size after a sync of the file, a name after a sync of
    its directory. A sync makes durable what was written before it began, from its end on; what others
    write meanwhile, it does not.
  - What a WAL's sync that failed should have made durable is there or not, whatever a later sync by the
    same descriptor says: the kernel reports the loss once and then counts the pages as written. (For
    the database SQLite relies on the later sync: a checkpoint that copies a part of the WAL does not
    sync, and the one that ends it does not copy that part again.)
  - Of each unsynced write each 512-byte sector, or each page, is there or not, independently of the
    others. Reordering can do no more: of two writes to a sector it leaves one or the other.
  - A size may have changed without the data. Then the file has zeros there.
  - Each name has one of its states since its directory's last sync, with the file that it named then.
  - A WAL index is never synced: it has any content, or none.

On every second disk names and truncations keep their order: none is there without those before it, as
on journalling file systems. On the other disks they do not. SQLite relies on that order in DELETE mode
with less than synchronous=EXTRA: it truncates a database after it has deleted the journal that could
undo the transaction.
"""

import json
import os
import struct

SECTOR = 512
(CREATE, WRITE, TRUNCATE, EXTEND, UNLINK, SYNC, SYNC_DIRECTORY, MARK, SYNC_BEGUN,
 SYNC_FAILED) = range(1, 11)
HEAD = struct.Struct("<IIIIQq")


def read_record(path):
    """The record's entries: (kind, file, offset, name, data)."""
    with open(path, "rb") as file:
        content = file.read()
    entries, at = [], 0
    while at < len(content):
        kind, name_count, data_count, _, inode, offset = HEAD.unpack_from(content, at)
        at += HEAD.size
        name = content[at:at + name_count].decode()
        data = content[at + name_count:at + name_count + data_count]
        at += name_count + data_count
        if not CREATE <= kind <= SYNC_FAILED or at > len(content):
            raise ValueError(f"{path}: no record at {at}")
        entries.append((kind, inode, offset, name, data))
    return entries


def mark(descriptor, **what):
    """Appends a mark to the open record, in order with its other entries."""
    data = json.dumps(what).encode()
    os.write(descriptor, HEAD.pack(MARK, 0, len(data), 0, 0, 0) + data)


class Change:
    """A change of a file: a write, truncation or extension (kind, offset, data)."""

    def __init__(self, moment, step):
        self.moment, self.step = moment, step
        self.is_durable = False
        # The descriptor whose sync failed.
        self.lost_by = None


class File:
    """A file's synced content, and the changes since."""

    def __init__(self, name):
        self.is_wal = name.endswith("-wal")
        self.durable = bytearray()
        self.pending = []

    def sync(self, end, descriptor):
        """Makes the changes before moment `end` durable."""
        for change in self.pending:
            if change.moment < end and (change.lost_by is None or change.lost_by != descriptor):
                change.is_durable = True
        while self.pending and self.pending[0].is_durable:
            apply_whole(self.durable, self.pending.pop(0).step)

    def lose(self, end, descriptor):
        """A sync of the changes before moment `end` has failed."""
        for change in self.pending:
            if change.moment < end and not change.is_durable:
                change.lost_by = descriptor

    def state(self, chance, names_end):
        """The file's content after a cut, chosen by `chance`. Names from moment `names_end` on are lost."""
        content = bytearray(self.durable)
        for change in self.pending:
            if change.is_durable:
                apply_whole(content, change.step)
            elif change.step[0] != TRUNCATE or change.moment < names_end:
                chance.apply(content, change.step)
        return content

    def whole(self):
        """The file's content when no power is cut."""
        content = bytearray(self.durable)
        for change in self.pending:
            apply_whole(content, change.step)
        return content


def apply_whole(content, step):
    kind, offset, data = step
    if kind == WRITE:
        grow(content, offset)
        content[offset:offset + len(data)] = data
    elif kind == EXTEND:
        grow(content, offset)
    else:
        grow(content, offset)
        del content[offset:]


def grow(content, byte_count):
    if len(content) < byte_count:
        content.extend(bytes(byte_count - len(content)))


class Chance:
    """How much unsynced data a power cut leaves, and at which size it tears writes."""

    def __init__(self, random):
        self.random = random
        # Disks with nothing and with everything are the likeliest, and they show errors of order.
        self.kept = random.choice([0, 0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1, 1])
        self.keeps_order = random.random() < 0.5
        self.torn = random.choice([0, 0, 0.1, 0.5])
        self.grain = random.choice([SECTOR, SECTOR, 4096])

    def keeps(self):
        return self.random.random() < self.kept

    def apply(self, content, step):
        kind, offset, data = step
        if kind != WRITE:
            if self.keeps():
                apply_whole(content, step)
        elif self.random.random() >= self.torn:
            if self.keeps():
                apply_whole(content, step)
            elif self.random.random() < 0.3:
                grow(content, offset + len(data))
        else:
            self.tear(content, offset, data)

    def tear(self, content, offset, data):
        """Chooses some sectors or pages of the write, perhaps only the first or the last ones."""
        end = offset + len(data)
        starts = [offset] + list(range(offset - offset % self.grain + self.grain, end, self.grain))
        how, split = self.random.randrange(3), self.random.randrange(len(starts) + 1)
        if self.random.random() < 0.5:
            grow(content, end)
        for index, start in enumerate(starts):
            stop = min(start - start % self.grain + self.grain, end)
            is_there = (index < split, index >= split, self.random.random() < 0.5)[how]
            if is_there:
                grow(content, start)
                content[start:stop] = data[start - offset:stop - offset]

    def choose(self, count):
        """One of the states 0 to `count`: 0 is the synced state, `count` the newest."""
        return count * self.kept if self.kept in (0, 1) else self.random.randint(0, count)


class Disk:
    """The files below one directory after the entries so far. `fault` is one that the test must find: the
    disk ignores syncs of "files" or of "directories", or a WAL's sync takes effect too "late", with the
    WAL's next sync, or every fifth sync has failed, which was "unheeded"."""

    def __init__(self, fault=None):
        self.fault = fault
        self.moment = 0
        self.files = {}
        # The syncs that have begun, by number: (moment, file, descriptor). The moments of those that
        # are late, by WAL.
        self.syncs, self.late = {}, {}
        # The durable names, and the changes of names since: (moment, name, file). A change without a
        # file is a deletion. A directory's sync makes the changes of its own names durable.
        self.durable_names = {}
        self.pending_names = []

    def apply(self, entry):
        kind, inode, offset, name, data = entry
        self.moment += 1
        if kind == CREATE:
            self.files[inode] = File(name)
            self.pending_names.append((self.moment, name, self.files[inode]))
        elif kind == UNLINK:
            self.pending_names.append((self.moment, name, None))
        elif kind in (WRITE, TRUNCATE, EXTEND):
            self.files[inode].pending.append(Change(self.moment, (kind, offset, data)))
        elif kind == SYNC_BEGUN:
            descriptor = (offset >> 32, data)
            self.syncs[offset] = (self.moment, self.files.get(inode), descriptor)
        elif kind == SYNC_FAILED or kind == SYNC and self.fault == "unheeded" and self.moment % 5 == 0:
            self.fail_sync(*self.syncs.pop(offset))
        elif kind == SYNC and self.fault != "files":
            self.sync_file(*self.syncs.pop(offset))
        elif kind == SYNC_DIRECTORY and self.fault != "directories":
            self.sync_directory(name, self.syncs.pop(offset)[0])

    def sync_file(self, end, file, descriptor):
        if self.fault == "late" and file.is_wal:
            end, self.late[file] = self.late.get(file, 0), end
        file.sync(end, descriptor)

    def fail_sync(self, end, file, descriptor):
        if file and file.is_wal:
            file.lose(end, descriptor)

    def sync_directory(self, directory, end):
        def is_synced(step):
            return step[0] < end and os.path.dirname(step[1]) == directory
        for step in filter(is_synced, self.pending_names):
            set_name(self.durable_names, step)
        self.pending_names = [step for step in self.pending_names if not is_synced(step)]

    def whole(self):
        """The disk when no power is cut: content by name."""
        names = dict(self.durable_names)
        for step in self.pending_names:
            set_name(names, step)
        return {name: file.whole() for name, file in names.items()}

    def state(self, random):
        """A disk after a cut here: content by name, and whether it kept the order of names."""
        chance = Chance(random)
        pending, names, names_end = self.pending_names, dict(self.durable_names), self.moment + 1
        if chance.keeps_order:
            kept = pending[:chance.choose(len(pending))]
            if len(kept) < len(pending):
                names_end = pending[len(kept)][0]
        else:
            kept = []
            for name in {name for _, name, _ in pending}:
                history = [step for step in pending if step[1] == name]
                kept += history[:chance.choose(len(history))]
        for step in kept:
            set_name(names, step)
        contents = {}
        for name, file in names.items():
            if name.endswith("-shm"):
                contents[name] = random.choice([b"", bytes(32768), random.randbytes(32768)])
            else:
                contents[name] = file.state(chance, names_end)
        return contents, chance.keeps_order


def set_name(names, step):
    _, name, file = step
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def materialise(state, root):
    """Makes `root` hold that state and nothing else."""
    for name in os.listdir(root):
        os.unlink(os.path.join(root, name))
    for name, content in state.items():
        with open(os.path.join(root, name), "wb", buffering=0) as file:
            file.write(content)
