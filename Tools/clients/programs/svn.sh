# Subversion: a repository and a working copy, and names with `..`.
set -eu
svnadmin create repository
svn checkout -q "file://$PWD/repository" copy
cd copy
for number in 1 2 3; do
  echo "$number" >"file$number"
  svn add -q "file$number"
  svn commit -q -m "commit $number"
done
svn copy -q file1 file4
svn revert -q file4
svn cleanup
svn update -q
svn log -q | grep -c '^r'
svnadmin verify -q ../repository && echo verified
svnadmin pack -q ../repository && echo packed
