fn main() -> std::process::ExitCode {
    mlx::cli::main()
}
