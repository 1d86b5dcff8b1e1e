//! `zig build` makes build/bin/plugin.wasm: the plugin and the C SDK, as a WASI library.
const std = @import("std");

const sdk = "trackside/sdk";

pub fn build(b: *std.Build) void {
    const target = b.resolveTargetQuery(.{ .cpu_arch = .wasm32, .os_tag = .wasi });
    const optimize: std.builtin.OptimizeMode = .ReleaseSmall;

    const header = b.addTranslateC(.{ .root_source_file = b.path(sdk ++ "/trackside.h"), .target = target, .optimize = optimize });
    const root = b.createModule(.{
        .root_source_file = b.path("plugin.zig"),
        .target = target,
        .optimize = optimize,
        .link_libc = true,
        .strip = true,
    });
    root.addImport("trackside", header.createModule());
    root.addIncludePath(b.path(sdk));
    root.addCSourceFiles(.{
        .root = b.path(sdk),
        .files = &.{ "trackside.c", "artifact.c", "effects.c", "model.c", "json.c", "bindings/plugin.c" },
    });
    root.addObjectFile(b.path(sdk ++ "/bindings/plugin_component_type.o"));

    // A reactor: a program would end before anything calls it.
    const plugin = b.addExecutable(.{ .name = "plugin", .root_module = root });
    plugin.wasi_exec_model = .reactor;
    plugin.rdynamic = true;
    // Zig's own default is 16 MiB, which counts against the step's memory.
    plugin.stack_size = 256 * 1024;
    b.installArtifact(plugin);
}
