"""What a power cut may leave of a disk.

A record (Tools/faults/record.c) tells in order what was written, created, deleted and synced. Cut at
any place, it stands for many disks, of which `Disk.state` makes one by chance:

  - What was synced is there: a file's content and size after a sync of the file, a name after a sync
    of its directory.
  - Of each write that was not synced each 512-byte sector, or each page, is there or not, whatever
    became of the others. That is all that reordering can do: of two writes to a sector it leaves the
    one or the other.
  - A size may have changed without the data: then there are zeros.
  - Of each name any of the states since its directory's last sync is there, and with it the file that
    it named then.
  - A WAL index is never synced: it has any content, or none.

On every other disk names and truncations keep their order: none of these is there without those
before it, as journalling file systems have it. On the others they do not. SQLite relies on that order
in DELETE mode with less than synchronous=EXTRA: it truncates a database after it has deleted the
journal by which it could be undone.
"""

import json
import os
import struct

SECTOR = 512
CREATE, WRITE, TRUNCATE, EXTEND, UNLINK, SYNC, SYNC_DIRECTORY, MARK = range(1, 9)
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
        if not CREATE <= kind <= MARK or at > len(content):
            raise ValueError(f"{path}: no record at {at}")
        entries.append((kind, inode, offset, name, data))
    return entries


def mark(descriptor, **what):
    """Puts a mark into the record that is open for appending, ordered among its other entries."""
    data = json.dumps(what).encode()
    os.write(descriptor, HEAD.pack(MARK, 0, len(data), 0, 0, 0) + data)


class File:
    """A file's content as it was synced, and what happened to it since."""

    def __init__(self):
        self.durable = bytearray()
        self.pending = []

    def sync(self):
        for _, step in self.pending:
            apply_whole(self.durable, step)
        self.pending = []

    def state(self, chance, names_end):
        """Its content after a cut, chosen by `chance`. From moment `names_end` on names are lost."""
        content = bytearray(self.durable)
        for moment, step in self.pending:
            if step[0] != TRUNCATE or moment < names_end:
                chance.apply(content, step)
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
    """How kind a power cut is to what was not synced: how much of it is there, and torn at what."""

    def __init__(self, random):
        self.random = random
        # Nothing and everything are the likeliest disks, and those where errors of order show.
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
        """Some sectors or pages of the write, perhaps only the first or the last ones."""
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
        """One of the states 0 to `count`, where 0 is the synced one and the last the newest."""
        return count * self.kept if self.kept in (0, 1) else self.random.randint(0, count)


class Disk:
    """The files below one directory as the record has told so far. `ignores` names a kind of sync
    that is taken for no sync at all, which must be found."""

    def __init__(self, ignores=None):
        self.ignores = ignores
        self.moment = 0
        self.files = {}
        # The names that are durable, and what happened to names since: (moment, name, file), where
        # no file is a deletion. A directory's sync takes its own names from there.
        self.durable_names = {}
        self.pending_names = []

    def apply(self, entry):
        kind, inode, offset, name, data = entry
        self.moment += 1
        if kind == CREATE:
            self.files[inode] = File()
            self.pending_names.append((self.moment, name, self.files[inode]))
        elif kind == UNLINK:
            self.pending_names.append((self.moment, name, None))
        elif kind in (WRITE, TRUNCATE, EXTEND):
            self.files[inode].pending.append((self.moment, (kind, offset, data)))
        elif kind == SYNC and self.ignores != "files":
            self.files[inode].sync()
        elif kind == SYNC_DIRECTORY and self.ignores != "directories":
            self.sync_directory(name)

    def sync_directory(self, directory):
        synced = [step for step in self.pending_names if os.path.dirname(step[1]) == directory]
        for step in synced:
            set_name(self.durable_names, step)
        self.pending_names = [step for step in self.pending_names if step not in synced]

    def whole(self):
        """The disk when no power is cut: content by name."""
        names = dict(self.durable_names)
        for step in self.pending_names:
            set_name(names, step)
        for file in names.values():
            file.sync()
        return {name: file.durable for name, file in names.items()}

    def state(self, random):
        """One disk after a cut here: content by name, and whether it kept the order of names."""
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
