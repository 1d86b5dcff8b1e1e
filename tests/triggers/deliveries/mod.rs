//! How real tools deliver files: 100 files in 100 new folders, every file exactly one run, nothing left behind.
//!
//! `TRACKSIDE_TEST_DELIVERIES` sets how often each tool does so (default 1). A tool that is not here is told as not run, unless
//! `TRACKSIDE_TEST_REQUIRE` names `deliveries`. docs/triggers.md has the table of these tools.

mod servers;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Project, optional::not_run, wait_until};

const FILES: usize = 100;

fn rounds() -> usize {
    std::env::var("TRACKSIDE_TEST_DELIVERIES").map_or(1, |text| text.parse().unwrap())
}

/// Whether all of these programs are here.
fn are_here(programs: &[&str]) -> bool {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let is_here = |program: &&str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    programs.iter().all(is_here)
}

/// Delivers with a shell script that finds the files in `$SRC`, the watched folder in `$TO`, a folder for itself in `$OWN` and
/// the number of the round in `$N`. `server` is started first, and gives variables for the script.
fn deliver(programs: &[&str], script: &str, server: impl FnOnce(&Path, &Path) -> Option<servers::Server>) {
    let what = format!("deliveries with {}", programs.join(" and "));
    if !are_here(programs) {
        return not_run("deliveries", &what, "not installed");
    }
    let project = Project::new();
    // By what a file looks like: the sharpest test of a second run. Nothing but closing, renaming or moving may complete a file
    // before it has stood still for longer than a program that is short of processor time pauses between two writes.
    project.workflow(
        "intake",
        "triggers:\n  - file: { path: inbox, glob: \"**/*.csv\", settle: 8s, identity: stat }\n\
         steps:\n  look: { plugin: echo, with: { value: 1 } }\n",
    );
    let (inbox, own) = (project.path("inbox"), project.path("own"));
    fs::create_dir_all(&own).unwrap();
    fs::create_dir_all(&inbox).unwrap();
    let source = project.path("own/source");
    let Some(server) = server(&own, &inbox) else {
        return not_run("deliveries", &what, "its server does not start here");
    };
    let node = project.serve();
    let mut expected = BTreeMap::new();
    for round in 0..rounds() {
        for file in 0..FILES {
            let name = format!("r{round}-{file}/f{file}.csv");
            fs::create_dir_all(source.join(&name).parent().unwrap()).unwrap();
            fs::write(source.join(&name), format!("{round},{file}\n").repeat(1 + file)).unwrap();
            expected.insert(name, 1);
        }
        let ran = Command::new("sh")
            .args(["-e", "-c", script])
            .current_dir(&source)
            .env("SRC", &source)
            .env("TO", &inbox)
            .env("OWN", &own)
            .env("N", round.to_string())
            .envs(server.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        assert!(ran.status.success(), "{what}: {}: {}", ran.status, String::from_utf8_lossy(&said));
        wait_until(&format!("an empty folder after {what}"), || left(&inbox).is_empty().then_some(()));
        fs::remove_dir_all(&source).unwrap();
        fs::create_dir_all(&source).unwrap();
    }
    let mut runs = BTreeMap::<String, usize>::new();
    let told = project.run(&["explain", "intake/file-0", "--limit", "10000", "--json"]).ok().json();
    for decision in told["triggers"][0]["decisions"].as_array().unwrap() {
        assert_eq!(decision["decision"], "started", "{what}: {decision:#}");
        *runs.entry(decision["about"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    // What the tool has put into a folder of its own (a clone has one) counts without that.
    let tail = |path: &str| path.rmatch_indices('/').nth(1).map_or(path, |(at, _)| &path[at + 1..]).to_owned();
    let runs: BTreeMap<String, usize> = runs.into_iter().map(|(path, count)| (tail(&path), count)).collect();
    assert!(runs == expected, "{what}: {} runs of {}", runs.len(), expected.len());
    drop(node);
}

/// It sets the time by name after closing, and says at the end which files were taken before that.
const COPYTREE: &str = r#"python3 -c '
import os, shutil
try:
    shutil.copytree(".", os.environ["TO"], dirs_exist_ok=True)
except shutil.Error as error:
    assert all("[Errno 2]" in why for _, _, why in error.args[0]), error
'"#;

/// The files that lie in the folder, at any depth.
fn left(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(left(&entry.path()));
        } else if entry.path().extension().is_some_and(|extension| extension == "csv") {
            found.push(entry.path().display().to_string());
        }
    }
    found
}

fn alone(_: &Path, _: &Path) -> Option<servers::Server> {
    Some(servers::Server::default())
}

/// A test for each: its name, what it needs, its script.
macro_rules! tools {
    ($($name:ident: [$($program:literal),+], $script:expr;)+) => {
        $(#[test]
        fn $name() {
            deliver(&[$($program),+], $script, alone);
        })+
    };
}

tools! {
    gnu_tar: ["tar"], "tar cf $OWN/a.tar . && tar xf $OWN/a.tar -C $TO";
    gnu_tar_by_names: ["tar"], "tar cf $OWN/a.tar * && tar xf $OWN/a.tar -C $TO";
    bsdtar: ["bsdtar"], "bsdtar cf $OWN/a.tar . && bsdtar xf $OWN/a.tar -C $TO";
    cp_a: ["cp"], "cp -a . $TO/";
    cp_r: ["cp"], "cp -r . $TO/";
    cp_hard_links: ["cp"], "cp -al . $TO/";
    rsync: ["rsync"], "rsync -a ./ $TO/";
    rsync_inplace: ["rsync"], "rsync -a --inplace ./ $TO/";
    unzip: ["zip", "unzip"], "rm -f $OWN/a.zip && zip -qr $OWN/a.zip . && unzip -q $OWN/a.zip -d $TO";
    git_clone: ["git"], "git init -q . && git add . && git -c user.name=n -c user.email=e@example.org commit -qm m && git clone -q . $TO/clone-$N";
    git_checkout: ["git"], "git init -q . && git add . && git -c user.name=n -c user.email=e@example.org commit -qm m && git --work-tree=$TO checkout -q -f HEAD -- .";
    mv_trees: ["mv"], "mv * $TO/";
    install: ["install"], "for f in */*.csv; do install -D -p -m 640 $f $TO/$f; done";
    dd: ["dd"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; dd status=none bs=7 if=$f of=$TO/$f; done";
    redirection: ["sh"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; { head -c 1 $f; tail -c +2 $f; } > $TO/$f; done";
    python_copytree: ["python3"], COPYTREE;
    time_set_after_closing: ["touch"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; cat $f > $TO/$f; touch -c -d 2001-01-01 $TO/$f; done";
    time_set_alone_after_closing: ["touch"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; cat $f > $TO/$f; touch -c -m -d 2001-01-01 $TO/$f; done";
    mode_and_owner_after_closing: ["chmod"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; cat $f > $TO/$f; chmod -f 600 $TO/$f || true; chown -f $(id -u) $TO/$f || true; done";
    temporary_name: ["mv"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; cat $f > $TO/$f.part; mv $TO/$f.part $TO/$f; done";
    vim: ["vim"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; vim -u NONE -N -n -es -c \"0read $f\" -c \"write $TO/$f\" -c 'quit!' < /dev/null; done";
    ed: ["ed"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; printf 'r %s\\nw %s\\nq\\n' $f $TO/$f | ed -s; done";
    sed_in_place: ["sed"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; cp $f $TO/$f.new; sed -i s/,/,/ $TO/$f.new; mv $TO/$f.new $TO/$f; done";
    tee: ["tee"], "for f in */*.csv; do mkdir -p $TO/${f%/*}; tee $TO/$f < $f > /dev/null; done";
}

/// The list of all files of a round, by a line for each.
macro_rules! servers {
    ($($name:ident: [$($program:literal),+], $server:path, $script:literal;)+) => {
        $(#[test]
        fn $name() {
            deliver(&[$($program),+], $script, $server);
        })+
    };
}

servers! {
    wget: ["wget", "python3"], servers::web, "wget -q -r -np -nH -P $TO $URL/";
    curl: ["curl", "python3"], servers::web, "for f in */*.csv; do printf 'url=%s/%s\\noutput=%s/%s\\n' $URL $f $TO $f; done | curl -s -S -f -R --create-dirs -K -";
    scp: ["scp", "sshd", "ssh-keygen"], servers::ssh, "scp -q -F $CONFIG -r -p * box:$TO/";
    scp_without_times: ["scp", "sshd", "ssh-keygen"], servers::ssh, "scp -q -F $CONFIG -r * box:$TO/";
    sftp: ["sftp", "sshd", "ssh-keygen"], servers::ssh, "printf 'put -rp . %s\\n' $TO | sftp -q -F $CONFIG -b - box";
    rsync_over_ssh: ["rsync", "sshd", "ssh-keygen"], servers::ssh, "rsync -a -e \"ssh -F $CONFIG\" ./ box:$TO/";
    vsftpd: ["vsftpd", "lftp"], servers::ftp, "lftp -c \"set net:max-retries 2; open ftp://anonymous:x@127.0.0.1:$PORT; mirror -R --no-umask . inbox\"";
    samba: ["smbd", "smbclient"], servers::samba, "smbclient -s $OWN/smb.conf -p $PORT -N //127.0.0.1/in -c 'recurse ON; prompt OFF; mput *'";
}
