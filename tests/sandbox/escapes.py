"""Attempts to get out of the sandbox, one per name; run inside it. Each prints "escaped: …" and exits
with 0 if it worked, or exits with 1 when it was refused."""
import ctypes
import os
import resource
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
SYSCALL = {"mount": 165, "unshare": 272, "setns": 308, "ptrace": 101, "bpf": 321, "keyctl": 250,
           "add_key": 248, "io_uring_setup": 425, "userfaultfd": 323, "perf_event_open": 298,
           "pivot_root": 155, "chroot": 161, "process_vm_readv": 310, "open_by_handle_at": 304,
           "init_module": 175, "kexec_load": 246, "clone": 56, "clone3": 435, "fsopen": 430,
           "open_tree": 428, "move_mount": 429, "name_to_handle_at": 303, "quotactl": 179,
           "reboot": 169, "swapon": 167, "acct": 163, "syslog": 103, "settimeofday": 164}


def syscall(name, *arguments):
    result = libc.syscall(SYSCALL[name], *arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def connect(address, family=socket.AF_INET):
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.settimeout(2)
        s.connect(address)
        return f"connected to {address}"


def read(path):
    with open(path, "rb") as f:
        return f"{path}: {f.read(80)!r}"


def write(path):
    with open(path, "wb") as f:
        f.write(b"x")
    return f"wrote {path}"


def listing(path):
    names = os.listdir(path)
    if not names:
        raise OSError("empty")
    return f"{path}: {names[:5]}"


def raises_limit():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard + 1, hard + 1))
    return "raised"


def other_processes():
    """Sees or signals anything but itself."""
    others = [p for p in os.listdir("/proc") if p.isdigit() and int(p) not in (1, os.getpid(), os.getppid())]
    if others:
        return f"sees {others}"
    for pid in range(2, 5000):
        if pid == os.getpid():
            continue
        try:
            os.kill(pid, 9)
            return f"signalled {pid}"
        except ProcessLookupError:
            pass
    raise OSError("nobody to signal")


def abstract_sockets():
    with open("/proc/net/unix") as f:
        lines = f.read().splitlines()[1:]
    if lines:
        return str(lines[:3])
    raise OSError("none")


def setuid_program():
    """A set-uid root program of the host must not make us root of anything."""
    for program in ("/usr/bin/su", "/usr/bin/mount", "/usr/bin/newuidmap"):
        if os.path.exists(program) and os.stat(program).st_uid == 0:
            raise OSError("would be root here")
    pid = os.fork()
    if pid == 0:
        try:
            os.setuid(0)
        except OSError:
            os._exit(1)
        os._exit(0)
    if os.waitpid(pid, 0)[1] == 0:
        return "became uid 0"
    raise OSError("refused")


def realtime():
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50))
    return "real-time"


def nicer():
    os.nice(-5)
    return "negative nice"


def via_link():
    """A symlink of ours to a host file: what it names inside is not the host's."""
    os.symlink("/etc/shadow", "shadow")
    return read("shadow")


def core():
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != 0:
        return "may dump core"
    raise OSError("refused")


NEW = {"mnt": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
       "pid": 0x20000000, "net": 0x40000000, "time": 0x80}
ATTEMPTS = {
    "metadata": lambda: connect(("169.254.169.254", 80)),
    "loopback-api": lambda: connect(("127.0.0.1", int(os.environ.get("HOST_PORT", "80")))),
    "private-database": lambda: connect(("10.0.1.2", 5433)),
    "internet": lambda: connect(("198.18.0.1", 80)),
    "database-socket": lambda: connect("/var/run/postgresql/.s.PGSQL.5432", socket.AF_UNIX),
    "host-socket": lambda: connect(os.environ["HOST_SOCKET"], socket.AF_UNIX),
    "abstract-socket": lambda: connect("\0" + os.environ["HOST_ABSTRACT"], socket.AF_UNIX),
    "abstract-list": abstract_sockets,
    "shadow": lambda: read("/etc/shadow"),
    "host-file": lambda: read(os.environ["HOST_FILE"]),
    "root-home": lambda: listing("/root"),
    "homes": lambda: listing("/home"),
    "var-lib": lambda: listing("/var/lib"),
    "other-slot": lambda: listing("/mnt"),
    "sys": lambda: listing("/sys"),
    "init-environ": lambda: "TERM" in read("/proc/1/environ") and "PROBE" not in read("/proc/1/environ") and "host's" or (_ for _ in ()).throw(OSError("own")),
    "kcore": lambda: read("/proc/kcore") if os.path.getsize("/proc/kcore") else (_ for _ in ()).throw(OSError("masked")),
    "proc-sys": lambda: write("/proc/sys/kernel/core_pattern"),
    "sysrq": lambda: write("/proc/sysrq-trigger"),
    "usr": lambda: write("/usr/escaped"),
    "etc": lambda: write("/etc/escaped"),
    "rootfs": lambda: write("/escaped"),
    "mknod-disk": lambda: os.mknod("disk", 0o60666, os.makedev(254, 0)) or "made",
    "mknod-mem": lambda: os.mknod("mem", 0o20666, os.makedev(1, 1)) or "made",
    "raw-socket": lambda: str(socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
    "packet-socket": lambda: str(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 3)),
    "vsock": lambda: str(socket.socket(40, socket.SOCK_STREAM)),
    "processes": other_processes,
    "setuid": setuid_program,
    "realtime": realtime,
    "nice": nicer,
    "rlimit": raises_limit,
    "core": core,
    "symlink": via_link,
    "ptrace": lambda: syscall("ptrace", 16, os.getppid(), 0, 0),
    "mount-proc": lambda: syscall("mount", b"proc", b"/tmp", b"proc", 0, None),
    "mount-tmpfs": lambda: syscall("mount", b"t", b"/work", b"tmpfs", 0, None),
    "remount-root": lambda: syscall("mount", b"none", b"/", None, 32, None),
    "setns": lambda: syscall("setns", os.open("/proc/1/ns/mnt", os.O_RDONLY), 0),
    "chroot": lambda: syscall("chroot", b"/work"),
    "pivot": lambda: syscall("pivot_root", b"/work", b"/work"),
    "bpf": lambda: syscall("bpf", 0, None, 0),
    "keyctl": lambda: syscall("keyctl", 0, -3, 1),
    "add-key": lambda: syscall("add_key", b"user", b"x", b"y", 1, -3),
    "io-uring": lambda: syscall("io_uring_setup", 8, ctypes.create_string_buffer(256)),
    "userfaultfd": lambda: syscall("userfaultfd", 1),
    "perf": lambda: syscall("perf_event_open", ctypes.create_string_buffer(128), 0, -1, -1, 0),
    "vm-read": lambda: syscall("process_vm_readv", os.getppid(), None, 0, None, 0, 0),
    "handle": lambda: syscall("name_to_handle_at", -100, b"/", ctypes.create_string_buffer(256), ctypes.create_string_buffer(8), 0),
    "open-handle": lambda: syscall("open_by_handle_at", -100, ctypes.create_string_buffer(256), 0),
    "module": lambda: syscall("init_module", None, 0, b""),
    "kexec": lambda: syscall("kexec_load", 0, 0, None, 0),
    "fsopen": lambda: syscall("fsopen", b"tmpfs", 0),
    "open-tree": lambda: syscall("open_tree", -100, b"/", 1),
    "reboot": lambda: syscall("reboot", 0xfee1dead, 672274793, 0, None),
    "swapon": lambda: syscall("swapon", b"/work", 0),
    "acct": lambda: syscall("acct", b"/work/acct"),
    "syslog": lambda: syscall("syslog", 3, ctypes.create_string_buffer(64), 64),
    "clock": lambda: syscall("settimeofday", ctypes.create_string_buffer(16), None),
    "clone3": lambda: syscall("clone3", None, 0),
    **{f"unshare-{name}": (lambda flag=flag: syscall("unshare", flag)) for name, flag in NEW.items()},
    **{f"clone-{name}": (lambda flag=flag: syscall("clone", flag | 17, None, None, None, None))
       for name, flag in NEW.items() if name != "time"},
}

if __name__ == "__main__":
    if sys.argv[1] == "--list":
        print("\n".join(ATTEMPTS))
        sys.exit(0)
    try:
        outcome = ATTEMPTS[sys.argv[1]]()
    except (OSError, ValueError) as refusal:
        print("refused:", refusal)
        sys.exit(1)
    print("escaped:", outcome)
    sys.exit(0)
