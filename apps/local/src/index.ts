export { type Balancer, type BalancerOptions } from './balancer/balancer.ts';
export { startNginxBalancer } from './balancer/nginx-balancer.ts';
export { findNginx } from './host-tools.ts';
