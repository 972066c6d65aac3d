# Part of Tools/sqlite-suite: gets SQLite's source, Debian's source package of the installed version, and
# builds its test programs. With --source it takes that tree and changes nothing in it. Everything that
# it makes is in $cache; nothing is ever left half done there.
#
# Sets: source, the source tree; cache, and its folder bin.

cache=${XDG_CACHE_HOME:-$HOME/.cache}/sluice
if [ "$given_source" ]; then
  source=$given_source
  # Each tree has its own programs and logs.
  cache=$cache/source-$(cat "$source/VERSION")-$(echo "$source" | cksum | cut -d ' ' -f 1)
else
  sqlite_version=$(dpkg-query -W -f '${source:Version}' libsqlite3-0 2>/dev/null) ||
    fail "the Debian package libsqlite3-0 is not installed"
  sqlite_package=$(dpkg-query -W -f '${source:Package}' libsqlite3-0)
  cache=$cache/sqlite-$sqlite_version
  source=$cache/source
fi

# Writes the machine's own package sources, of its own release, as sources of source packages into folder $1.
write_package_sources() {
  codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  suites="^(${codename:-stable}|stable|oldstable|testing|unstable|sid)([-/]|\$)"
  mkdir -p "$1"
  for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$list" ] || continue
    awk -v suites="$suites" '
      $1 == "deb" {
        at = 2
        if ($2 ~ /^\[/) { while ($at !~ /\]$/) at++; at++ }
        if ($(at + 1) ~ suites) { sub(/^[ \t]*deb/, "deb-src"); print }
      }' "$list" >"$1/$(basename "$list" .list).list"
  done
  for list in /etc/apt/sources.list.d/*.sources; do
    [ -f "$list" ] || continue
    awk -v suites="$suites" '
      function flush() { if (wanted) printf "%s\n", stanza; stanza = ""; wanted = 0 }
      /^[ \t]*$/ { flush(); next }
      tolower($1) == "types:" { $0 = "Types: deb-src" }
      tolower($1) == "suites:" { for (at = 2; at <= NF; at++) if ($at ~ suites) wanted = 1 }
      { stanza = stanza $0 "\n" }
      END { flush() }' "$list" >"$1/$(basename "$list")"
  done
  find "$1" -type f -empty -delete
  [ -n "$(ls -A "$1")" ] || fail "apt names no package source of this release ($codename)"
}

# apt-get with its own configuration below folder $1, so that the machine's configuration stays unchanged.
private_apt() {
  apt_folder=$1
  shift
  apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt_folder/sources" \
    -o Dir::State::Lists="$apt_folder/lists" -o Dir::Cache="$apt_folder/cache" \
    -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@"
}

# Puts SQLite's source into $source.
obtain_source() {
  [ -d "$source" ] && return
  echo "getting the source of $sqlite_package $sqlite_version"
  "$repository/Tools/debian/install-missing" dpkg-dev:dpkg-source
  new=$cache/source.new.$$
  mkdir -p "$new/apt/lists/partial" "$new/apt/cache/archives/partial"
  write_package_sources "$new/apt/sources"
  quietly private_apt "$new/apt" update
  (cd "$new" && quietly private_apt "$new/apt" source "$sqlite_package=$sqlite_version")
  unpacked=$(echo "$new/$sqlite_package"-*/)
  [ -f "$unpacked/test/tester.tcl" ] || fail "the source package holds no SQLite tests: $unpacked"
  rm -rf "$unpacked/www"
  # Another run may have been faster.
  mv -T "$unpacked" "$source" 2>/dev/null || [ -d "$source" ]
  rm -rf "$new"
}

# Files of the source tree that changed after $1 was built. Only a given tree changes.
changed_since() {
  [ -z "$given_source" ] ||
    find "$source/src" "$source/ext" "$source/VERSION" -type f -newer "$1" -print -quit
}

# Builds the Tcl test program as SQLite's own makefile does, but with its names visible to extensions,
# because Tools/suite/os-variables.c sets the variables that SQLite's tests read.
build_testfixture() {
  [ -x "$cache/bin/testfixture" ] && [ -z "$(changed_since "$cache/bin/testfixture")" ] && return
  echo "building testfixture"
  new=$cache/build.new.$$
  mkdir -p "$new" "$cache/bin"
  (
    cd "$new"
    # Makefiles before SQLite 3.48 take LIBS, later ones LDFLAGS.
    quietly "$source/configure" --disable-readline --disable-editline LDFLAGS=-Wl,--export-dynamic
    quietly make testfixture "LIBS=-Wl,--export-dynamic"
  )
  mv "$new/testfixture" "$cache/bin/testfixture"
  rm -rf "$new"
}

# Builds program $1 from the sources that follow, against the installed libsqlite3.so.
build_program() {
  program=$cache/bin/$1
  shift
  [ -x "$program" ] && [ "$program" -nt "$suite/open-proxied.c" ] && return
  echo "building ${program##*/}"
  mkdir -p "$cache/bin"
  quietly cc -O2 -g -w -o "$program.new.$$" -I"$source/src" -I"$source/test" \
    -DSQLITE_CORE "$@" "$suite/open-proxied.c" \
    -Wl,--wrap=sqlite3_open,--wrap=sqlite3_open_v2,--wrap=sqlite3_vfs_find \
    -lsqlite3 -lpthread -lm
  mv -f "$program.new.$$" "$program"
}

build_programs() {
  "$repository/Tools/debian/install-missing" build-essential:make build-essential:cc \
    libsqlite3-dev:/usr/include/sqlite3.h tcl:tclsh tcl-dev:/usr/lib/tclConfig.sh \
    zlib1g-dev:/usr/include/zlib.h
  obtain_source
  build_testfixture
  # They link the installed SQLite, which may not fit the sources of another version.
  [ -z "$given_source" ] || return 0
  build_program mptester "$source/mptest/mptest.c"
  build_program threadtest3 "$source/test/threadtest3.c" "$source/src/test_multiplex.c"
  build_program kvtest "$source/test/kvtest.c"
  build_program speedtest1 "$source/test/speedtest1.c"
}
