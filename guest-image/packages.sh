# Debian packages: downloaded once into the cache, checked against apt's signed lists, unpacked, never installed.
# Sourced by `build`, never run: uses its $cache, $arch, $staging and $apt_facts.

version_of_package() { dpkg-query --show --showformat '${Version}' "$1" 2>/dev/null; }

# apt_fact PACKAGE FIELD: the first word of a field of the version that apt would install, or nothing
apt_fact() {
  awk -v package="$1" -v field="$2:" '
    $1 == "Package:" { wanted = $2 == package }
    wanted && $1 == field { sub(/,$/, "", $2); print $2; exit }' <<<"$apt_facts"
}

# What apt would install; where apt's lists are empty, the newest in the cache (then the name may be a pattern).
find_package() {
  local prefix=$1 name=$2 version deb sha256
  version=$(apt_fact "$name" Version)
  sha256=$(apt_fact "$name" SHA256)
  if [[ -n $version ]]; then
    deb=$cache/downloads/${name}_${version//:/%3a}_$(apt_fact "$name" Architecture).deb
  else
    deb=$(find "$cache/downloads" -name "${name}_*.deb" | sort -V | tail -n 1)
    [[ -n $deb ]] || unavailable "apt knows no package $name: with a network, run as root: apt-get update; where this is not Debian, build on Debian with --output DIR, copy DIR here and set WARMCELL_IMAGE_DIR to it"
    name=$(dpkg-deb --field "$deb" Package)
    version=$(dpkg-deb --field "$deb" Version)
  fi
  printf -v "${prefix}_package" %s "$name"
  printf -v "${prefix}_version" %s "$version"
  printf -v "${prefix}_deb" %s "$deb"
  printf -v "${prefix}_sha256" %s "$sha256"
}

# unpack_package PREFIX DIR: what find_package found, checked against apt's signed lists.
unpack_package() {
  local package=$1_package version=$1_version deb=$1_deb sha256=$1_sha256 dir=$2
  package=${!package} version=${!version} deb=${!deb} sha256=${!sha256}
  if ! is_intact "$deb" "$sha256"; then
    mkdir "$staging/download"
    (cd "$staging/download" && quietly apt-get download -o APT::Sandbox::User=root "$package=$version") ||
      unavailable "cannot download $package $version. With a network, run as root: apt-get update"
    mv "$staging"/download/*.deb "$deb"
    rmdir "$staging/download"
    is_intact "$deb" "$sha256" || fail "$deb is not what apt's lists describe; remove it and build again"
  fi
  quietly dpkg-deb --extract "$deb" "$dir" || fail "$deb cannot be unpacked; remove it and build again"
}

is_intact() { [[ -e $1 ]] && [[ -z $2 || $(digest "$1") == "$2" ]]; }

unavailable() {
  step_break
  printf '%serror:%s %s\n' "$red" "$plain" "$*" >&2
  exit 75
}
