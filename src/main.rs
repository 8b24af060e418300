fn main() {
    println!("dtaas");
}
