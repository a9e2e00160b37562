"""A SLURM on this machine, for tests: three partitions, two pretended GPUs, no systemd.

It is one node but for the partition `several`, which has a second one: the same machine under another name.

python -m tests.helpers.slurm_cluster install            # Debian's packages, as root
python -m tests.helpers.slurm_cluster run COMMAND …      # start it, run the command, stop it
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("sbatch", "slurmctld", "slurmd", "munged")
SECOND = "second"
CONFIG = Path("/etc/slurm")  # jobs lose a SLURM_CONF that points elsewhere

SLURM_CONF = """ClusterName=test
SlurmctldHost={host}(127.0.0.1)
AuthType=auth/munge
CryptoType=crypto/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/ctld
SlurmdSpoolDir={folder}/slurmd/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/none
KillWait=2
OverTimeLimit=0
MinJobAge=3600
ReturnToService=2
MpiDefault=none
SwitchType=switch/none
MailProg=/bin/true
DefMemPerCPU=1000
GresTypes=gpu
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory} Gres=gpu:2 State=UNKNOWN
NodeName={second} NodeHostname={host} NodeAddr=127.0.0.1 Port=17003 CPUs=2 RealMemory=4000 Gres=gpu:2 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP
PartitionName=several Nodes=ALL MaxTime=INFINITE State=UP
"""
GRES_CONF = "".join(
    f"NodeName={{{node}}} Name=gpu File=/dev/{file}\n" for node in ("host", "second") for file in ("null", "zero")
)


def why_not() -> str | None:
    """Return why no SLURM can be started here, or None."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"no {', '.join(missing)} (Debian: apt-get install slurm-wlm munge, or make test-slurm as root)"
    if os.getuid() != 0:
        return "SLURM's daemons need root"
    if (CONFIG / "slurm.conf").exists() and "ClusterName=test\n" not in (CONFIG / "slurm.conf").read_text():
        return "this machine has a SLURM of its own"
    return None


def install() -> None:
    """Install Debian's packages where that is possible; where it is not, the tests say so."""
    if all(shutil.which(name) for name in PROGRAMS):
        return
    if os.getuid() != 0 or shutil.which("apt-get") is None:
        print("SLURM is not installed, and can only be by root with apt-get; its tests will be skipped")
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "slurm-wlm", "munge"]):
        run = subprocess.run(["apt-get", "-qq", *arguments], env=quiet, capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"SLURM could not be installed, its tests will be skipped: {run.stderr.strip()[-300:]}")
            return


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Run a SLURM until the block ends."""
    host = socket.gethostname().split(".")[0]
    for name in ("ctld", "slurmd", "munge"):
        (folder / name).mkdir(mode=0o700)
    CONFIG.mkdir(exist_ok=True)
    memory = min(20000, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20 - 500)
    facts = {"host": host, "second": SECOND, "folder": folder, "cpus": os.cpu_count(), "memory": memory}
    (CONFIG / "slurm.conf").write_text(SLURM_CONF.format(**facts))
    (CONFIG / "gres.conf").write_text(GRES_CONF.format(**facts))
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    Path("/run/munge").mkdir(mode=0o755, exist_ok=True)
    Path("/run/munge").chmod(0o755)
    munge = [f"--key-file={key}", f"--pid-file={folder}/munge/pid", f"--log-file={folder}/munge/log"]
    munge += [f"--seed-file={folder}/munge/seed", "--force"]
    daemons: list[subprocess.Popen[bytes]] = []

    def start(*command: str) -> None:
        log = (folder / f"{command[0]}.log").open("ab")
        daemons.append(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        )

    try:
        start("munged", "--foreground", *munge)
        _wait(
            lambda: subprocess.run(["munge", "-n"], capture_output=True, check=False).returncode == 0, "munged", folder
        )
        start("slurmctld", "-D")
        for node in (host, SECOND):
            start("slurmd", "-D", "-N", node)
        _wait(lambda: set(ask("sinfo", "-h", "-o", "%T").split()) == {"idle"}, "slurmctld", folder)
        yield
    finally:
        with suppress(subprocess.CalledProcessError):
            ask("scancel", "--full", "--user", "root")
        time.sleep(0.5)
        for how in (signal.SIGTERM, signal.SIGKILL):
            for daemon in reversed(daemons):
                with suppress(ProcessLookupError):
                    os.killpg(daemon.pid, how)
            time.sleep(0.5)
        for daemon in daemons:
            daemon.wait()
        # With a config and no daemons, every command of SLURM waits for them, and so does Snakemake at its start.
        for name in ("slurm.conf", "gres.conf"):
            (CONFIG / name).unlink(missing_ok=True)


def ask(*command: str) -> str:
    """Return what a command of SLURM prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout


def jobs() -> list[dict[str, str]]:
    """Return all jobs, finished ones too, as SLURM describes them."""
    lines = ask("scontrol", "show", "job", "--oneliner").splitlines()
    return [
        dict(part.split("=", 1) for part in line.split() if "=" in part) for line in lines if line.startswith("JobId")
    ]


def _wait(ready: object, name: str, folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(subprocess.CalledProcessError, subprocess.TimeoutExpired):
            if ready():  # type: ignore[operator]
                return
        time.sleep(0.2)
    log = folder / f"{name}.log"
    raise RuntimeError(f"{name} did not come up: {log.read_text()[-1000:] if log.exists() else ''}")


if __name__ == "__main__":
    if sys.argv[1:] == ["install"]:
        install()
    elif sys.argv[1:2] == ["run"] and not why_not():
        with tempfile.TemporaryDirectory() as temporary, cluster(Path(temporary)):
            sys.exit(subprocess.run(sys.argv[2:], check=False).returncode)
    else:
        sys.exit(why_not() or __doc__)
