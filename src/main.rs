use clap::Parser;

#[derive(Parser)]
enum Command {
    Auth(dtaas::cli::auth::Auth),
    Website(dtaas::cli::website::Website),
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    let done = match Command::parse() {
        Command::Auth(auth) => auth.run().await,
        Command::Website(website) => website.run().await,
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            match dtaas::error::failure_of(&error) {
                Some(failure) => std::process::ExitCode::from(failure.code() as u8),
                None => std::process::ExitCode::FAILURE,
            }
        }
    }
}
