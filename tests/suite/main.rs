mod machine_engine;
mod machine_lab;
