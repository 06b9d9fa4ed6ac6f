#!/bin/bash
# One program built five ways: with its debug information in it, in a file named by .gnu_debuglink, in a folder of build-ids,
# split and packed, and compressed. The reports are the same, byte for byte. Rust programs have names and inlined frames, too.
. "$(dirname "$0")/lib.sh"

command -v llvm-dwp >/dev/null || skip "llvm-dwp is not installed"
command -v clang++ >/dev/null || skip "clang++ is not installed"
mkdir app debug build
cat >build/forms.cc <<'X'
#include <cstdlib>
#include <string>
#include <vector>
namespace forms {
template <class T> struct pool {
	std::vector<T *> all;
	inline T *make(const T &v) { all.push_back(new T(v)); return all.back(); }
	~pool() { for (auto *p : all) delete p; }
};
static inline void *raw(size_t n) { return malloc(n); }
static inline void *twice(size_t n) { return raw(2 * n); }
__attribute__((noinline)) size_t work(pool<std::string> &p, int i)
{
	void *volatile kept = twice((size_t)i + 8);
	free(kept);
	return p.make(std::string((size_t)(40 + i % 7), 'x'))->size();
}
}
int main()
{
	forms::pool<std::string> p;
	size_t n = 0;
	for (int i = 0; i < 1000; i++)
		n += forms::work(p, i);
	return n > 40000 ? 0 : 1;
}
X

# The build-id is given, so that all five are the program of the one recording.
build() {
	clang++ -O2 -gdwarf-5 "$@" -Wl,--build-id=0x0123456789abcdef0123456789abcdef01234567 -o app/forms build/forms.cc
}
report() {
	rm -rf .cache
	"$heaptide" report "$@" -n 0 t.tide
	"$heaptide" report "$@" --by=line --metric=allocs --csv -n 0 t.tide
	"$heaptide" report "$@" --by=stack --metric=bytes --json -n 0 t.tide
	"$heaptide" report "$@" --view=tree -n 0 t.tide
}

build
record t.tide -- app/forms
same "status" 0 "$status"
sound t.tide 4000
report >plain.txt
grep -q 'forms::work' plain.txt || fail "forms::work is not named"
grep -q 'forms::twice' plain.txt || fail "the inlined forms::twice is not named"
grep -q 'forms\.cc' plain.txt || fail "no lines"

objcopy --only-keep-debug app/forms app/forms.debug
strip app/forms
cp app/forms build/stripped
(cd app && objcopy --add-gnu-debuglink=forms.debug forms)
report >link.txt

cp build/stripped app/forms
mkdir -p debug/.build-id/01
mv app/forms.debug debug/.build-id/01/23456789abcdef0123456789abcdef01234567.debug
report >none.txt
cmp -s plain.txt none.txt && fail "the stripped program has names without its debug file"
report --debug-dir debug >id.txt

build -gsplit-dwarf
[ -n "$(find . -name '*.dwo')" ] || fail "no .dwo file was made"
report >loose.txt
llvm-dwp -e app/forms -o app/forms.dwp
find . -name '*.dwo' -delete
report >packed.txt
rm app/forms.dwp
report >unpacked.txt
cmp -s plain.txt unpacked.txt && fail "the .dwp file was not needed"

build
objcopy --compress-debug-sections=zlib app/forms
report >compressed.txt
build
if objcopy --compress-debug-sections=zstd app/forms 2>/dev/null; then
	report >zstd.txt
fi
for other in link id loose packed compressed zstd; do
	[ ! -f $other.txt ] || diff plain.txt $other.txt || fail "plain and $other differ"
done

# The second report comes from the cache, and is the same.
"$heaptide" report --by=line --csv -n 0 t.tide >cold.txt
[ -n "$(find .cache/heaptide -type f)" ] || fail "nothing was kept in the cache"
"$heaptide" report --by=line --csv -n 0 t.tide >warm.txt
"$heaptide" report --by=line --csv -n 0 --no-symbol-cache t.tide >without.txt
cmp cold.txt warm.txt && cmp cold.txt without.txt

command -v rustc >/dev/null || { echo "no rustc: Rust was not looked at"; exit 0; }
cat >forms.rs <<'X'
struct Keeper<T> { all: Vec<Box<T>> }
impl<T> Keeper<T> {
    #[inline(always)]
    fn keep(&mut self, v: T) { self.all.push(Box::new(v)); }
}
#[inline(never)]
fn gather(k: &mut Keeper<u64>, n: u64) { for i in 0..n { k.keep(std::hint::black_box(i)); } }
fn main() {
    let mut k = Keeper { all: Vec::new() };
    gather(&mut k, 500);
    println!("{}", k.all.len());
}
X
rustc --version >rustc.out 2>&1 || { echo "rustc does not work, Rust was not looked at: $(cat rustc.out)"; exit 0; }
for mangling in legacy v0; do
	# One of the two is behind a switch, in older compilers the other one.
	RUSTC_BOOTSTRAP=1 rustc -O -g -Z unstable-options -C symbol-mangling-version=$mangling -o app/rust forms.rs
	record r.tide -- app/rust >out
	same "status" 0 "$status"
	seen r.tide 500
	"$heaptide" report --by=stack --metric=allocs --json -n 0 r.tide >r.json
	jq -e '[.rows[].stack[]? | select(.inlined) | .function] | any(test("Keeper.*::keep"))' r.json >/dev/null ||
		fail "rustc, $mangling: no inlined Keeper::keep"
	nm app/rust >names.txt
	grep -q "$([ $mangling = v0 ] && echo " _R" || echo " _ZN")" names.txt || fail "rustc, $mangling: other names than expected"
	jq -e '[.rows[].stack[]? | select(.inlined | not) | .function] | any(. == "forms::gather")' r.json >/dev/null ||
		fail "rustc, $mangling: no forms::gather"
done
