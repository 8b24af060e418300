use clap::Parser;

#[derive(Parser)]
#[command(name = "dtaas")]
enum Cli {
    Lib(dtaas::cli::lib::Lib),
}

#[tokio::main]
async fn main() {
    let Cli::Lib(lib) = Cli::parse();
    if let Err(error) = lib.run().await {
        eprintln!("error: {error:#}");
        let failure = dtaas::error::failure_of(&error);
        if let Some(hint) = failure.and_then(|f| f.remedy()) {
            eprintln!("hint: {hint}");
        }
        std::process::exit(failure.map_or(1, |f| f.code() as i32));
    }
}
