# setup: what tests/check, tests/bench/run and cmd/demo do before they can build. Sourced by sh and bash; the working directory
# is the repository's root. Nothing here takes noticeable time when there is nothing to do.

# package_list build|all|bench: the names in tests/packages; each of these has those of the one before, too.
package_list() {
	case $1 in
	build) package_end=tests: ;;
	all) package_end=bench: ;;
	bench) package_end=end: ;;
	esac
	sed -e "/^$package_end\$/,\$d" -e '/:$/d' -e '/^#/d' -e '/^$/d' tests/packages
}

# missing_packages: those of $package_file that are not installed.
missing_packages() {
	command -v dpkg-query >/dev/null || {
		echo "no dpkg here: install by hand what tests/packages lists" >&2
		return 0
	}
	dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' 2>/dev/null |
		awk 'NR == FNR { if ($1 == "ii") have[$2] = 1; next } !($1 in have)' - "$package_file"
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# install_packages build|all|bench: one apt call, none when all is there.
install_packages() {
	package_file=$(mktemp)
	package_list "$1" >"$package_file"
	missing=$(missing_packages | tr '\n' ' ')
	rm -f "$package_file"
	[ -n "$missing" ] || return 0
	echo "== installing: $missing"
	as_root apt-get update -qq
	# shellcheck disable=SC2086 # a list of words
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
}

# build DIR CMAKE_ARGUMENT...: configures where that was not done with these arguments, and builds.
build() {
	build_dir=$1
	shift
	if [ ! -f "$build_dir/build.ninja" ] || [ "$(cat "$build_dir/arguments" 2>/dev/null)" != "$*" ]; then
		cmake -S . -B "$build_dir" -G Ninja "$@"
		echo "$*" >"$build_dir/arguments"
	fi
	ninja -C "$build_dir"
}
