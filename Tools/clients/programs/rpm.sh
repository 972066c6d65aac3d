# rpm with its SQLite database.
set -eu
database=$PWD/rpmdb
define="_db_backend sqlite"
rpm --define "$define" --dbpath "$database" --initdb
mkdir -p build
cat >build/words.spec <<'SPEC'
Name: words
Version: 1
Release: 1
Summary: words
License: none
BuildArch: noarch
%description
words
%files
SPEC
rpmbuild --quiet --define "$define" --dbpath "$database" --define "_topdir $PWD/build" --define "_tmppath $PWD/build" -bb build/words.spec
package=$(find build -name 'words*.rpm')
rpm --define "$define" --dbpath "$database" --justdb --nodeps -i "$package"
rpm --define "$define" --dbpath "$database" -qa
rpmdb --define "$define" --dbpath "$database" --rebuilddb
rpmdb --define "$define" --dbpath "$database" --verifydb && echo verified
rpm --define "$define" --dbpath "$database" --justdb -e words
rpm --define "$define" --dbpath "$database" -qa | wc -l
