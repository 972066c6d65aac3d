# Fossil: makes a repository, commits and reads it again.
set -eu
export HOME=$PWD FOSSIL_HOME=$PWD USER=reader
fossil init project.fossil >/dev/null
mkdir work
cd work
fossil open ../project.fossil >/dev/null
echo text >file
fossil add file
fossil commit --no-warnings -m "first" >/dev/null
fossil timeline -n 1 -F "%c"
fossil rebuild ../project.fossil >/dev/null
fossil test-integrity -R ../project.fossil | tail -n 1
